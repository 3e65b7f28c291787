"""What every decoder does: the same frames at the same times, whatever the plan drops and however the file is made."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model_zoo.report import DecodeFacts
from model_zoo.values import View
from serve.decode.nvdec import NoNvdec, Nvdec, find_nvdec
from serve.decode.reading import Wanted, read
from serve.decode.sessions import Sessions
from serve.devices import Gpu
from serve.media import Limits, Media, open_media
from tests.clips import HEIGHT, number_in, numbered_picture, remux, write_clip
from tests.stand_in_nvcodec import Library
from tests.twin import HostPainter

FRAMES = 75


def x264(parameters: str) -> dict[str, str]:
    return {"x264-params": f"{parameters}:scenecut=0:log-level=none", "preset": "veryfast"}


def x265(parameters: str) -> dict[str, str]:
    return {"x265-params": f"{parameters}:log-level=none", "preset": "ultrafast"}


OPEN_GROUPS = "keyint=24:min-keyint=24:bframes=3:b-adapt=0:open-gop=1"
UNEVEN_TIMES = np.cumsum(np.random.default_rng(3).choice([0.02, 0.04, 0.04, 0.1, 0.4], FRAMES)).tolist()
CLIPS: dict[str, dict[str, Any]] = {
    "h264_closed_groups.mp4": {"options": x264("keyint=24:min-keyint=24:bframes=3:b-pyramid=normal")},
    "h264_short_groups.mp4": {"options": x264("keyint=10:min-keyint=10:bframes=2")},
    "h264_open_groups.mp4": {"options": x264(OPEN_GROUPS + ":b-pyramid=normal")},
    "h264_open_groups.ts": {"options": x264(OPEN_GROUPS)},
    "h264_no_b_frames.mp4": {"options": x264("keyint=24:min-keyint=24:bframes=0")},
    "h264_one_key_frame.mp4": {"options": x264("keyint=1000:bframes=3")},
    "h264_gradual_refresh.mp4": {"options": x264("keyint=24:intra-refresh=1:bframes=0")},
    "h264_interlaced.mp4": {"options": x264("keyint=24:bframes=2:interlaced=1")},
    "h264_10_bit.mp4": {"options": x264("keyint=24"), "pixel_format": "yuv420p10le"},
    "h264_uneven.mp4": {"options": x264("keyint=24:bframes=3"), "times": UNEVEN_TIMES},
    "h264_late_start.mkv": {"options": x264("keyint=24:bframes=2"), "times": [5 + i / 25 for i in range(FRAMES)]},
    "hevc_open_groups.mp4": {"codec": "libx265", "options": x265("keyint=24:min-keyint=24:bframes=3:open-gop=1")},
    "hevc_closed_groups.mkv": {"codec": "libx265", "options": x265("keyint=24:min-keyint=24:bframes=3:open-gop=0")},
    "hevc_10_bit.mp4": {"codec": "libx265", "options": x265("keyint=24"), "pixel_format": "yuv420p10le"},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"g": "12", "bf": "2", "b": "3000000"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"g": "24", "bf": "2", "b": "3000000"}},
    "vp8.webm": {"codec": "libvpx", "options": {"g": "24", "b": "3000000", "deadline": "realtime", "cpu-used": "8"}},
    "vp9.webm": {
        "codec": "libvpx-vp9",
        "options": {"g": "24", "b": "2000000", "deadline": "realtime", "cpu-used": "8"},
    },
    "prores.mov": {"codec": "prores", "pixel_format": "yuv422p10le"},
    "motion_jpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "animated.apng": {"codec": "apng", "pixel_format": "rgb24", "frames": 30},
    "animated.gif": {"codec": "gif", "pixel_format": "rgb8", "frames": 30},
}


@dataclass
class Got:
    """What one asker was given."""

    seconds: list[float] = field(default_factory=list)
    pixels: list[NDArray[np.uint8]] = field(default_factory=list)

    @property
    def numbers(self) -> list[int]:
        """The numbers that the frames carry."""
        return [number_in(picture) for picture in self.pixels]


def read_all(media: Media, *intervals: float, backend: str, threads: int = 2) -> tuple[list[Got], DecodeFacts]:
    """Read a clip at its own size, for several intervals at once."""
    video = media.facts.video
    assert video is not None
    got = [Got() for _ in intervals]
    wanted = [Wanted(View(video.width, video.height), interval, batch=7) for interval in intervals]
    with read(media, wanted, backend=backend.split()[0], threads=threads, nvdec=engine(backend)) as reading:
        for asker, frames in reading:
            assert 0 < len(frames) <= 7
            got[asker].seconds += frames.seconds.tolist()
            got[asker].pixels += list(frames.pixels)
    assert reading.facts.fallback_reason is None
    return got, reading.facts


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for name, how in CLIPS.items():
        write_clip(folder / name, **{"frames": FRAMES, **how})
    return folder


STAND_IN = Nvdec(Gpu("a stand-in", sm=89, memory_bytes=16 << 30, cuda=12_080), Sessions(Library(), HostPainter))


@pytest.fixture(
    params=[
        pytest.param("cpu"),
        pytest.param("nvdec on a stand-in"),
        pytest.param("nvdec", marks=pytest.mark.gpu),
    ]
)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def engine(backend: str) -> Nvdec | NoNvdec | None:
    """Return the video engine that a decoder under test runs on."""
    if backend == "nvdec":
        return find_nvdec()
    return STAND_IN if backend.startswith("nvdec") else None


@pytest.mark.parametrize("name", CLIPS)
def test_every_frame_is_delivered_once_at_its_own_time(clips: Path, backend: str, name: str) -> None:
    (got,), facts = read_all(open_media(clips / name, Limits()), 0, backend=backend)
    expected = CLIPS[name].get("frames", FRAMES)
    assert got.numbers == list(range(expected))
    times = np.array(CLIPS[name].get("times", np.arange(expected) / 25))
    np.testing.assert_allclose(np.diff(got.seconds), np.diff(times), atol=0.002)
    assert facts.frames_decoded == facts.frames_analyzed == expected
    assert not facts.truncated, facts.truncated_reason


@pytest.mark.parametrize("name", CLIPS)
def test_the_colours_are_those_that_were_drawn(clips: Path, backend: str, name: str) -> None:
    (got,), _ = read_all(open_media(clips / name, Limits()), 10.0, backend=backend)
    for rows in (slice(0, HEIGHT // 4), slice(HEIGHT // 4, HEIGHT)):
        drawn, shown = numbered_picture(0)[rows], got.pixels[0][rows]
        assert np.abs(drawn.mean(axis=(0, 1)) - shown.mean(axis=(0, 1))).max() < 5


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("interval_seconds", [0.1, 0.3, 1.0])
def test_samples_are_the_very_frames_that_decoding_all_gives(
    clips: Path, backend: str, name: str, interval_seconds: float
) -> None:
    media = open_media(clips / name, Limits())
    (every,), _ = read_all(media, 0, backend=backend)
    (got,), facts = read_all(media, interval_seconds, backend=backend)
    whole = dict(zip(every.seconds, every.pixels, strict=True))
    for seconds, picture in zip(got.seconds, got.pixels, strict=True):
        assert np.array_equal(picture, whole[seconds]), f"{seconds} s, {facts.strategy_reason}"
    assert not facts.truncated, facts.truncated_reason


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("interval_seconds", [0.1, 0.3, 1.0])
def test_every_asked_time_has_a_sample_within_the_stated_tolerance(
    clips: Path, backend: str, name: str, interval_seconds: float
) -> None:
    media = open_media(clips / name, Limits())
    (every,), _ = read_all(media, 0, backend=backend)
    (got,), facts = read_all(media, interval_seconds, backend=backend)
    first, last = every.seconds[0], every.seconds[-1]
    asked = first + np.arange(math.ceil((last - first) / interval_seconds + 1e-6)) * interval_seconds
    nearest = np.abs(np.array(got.seconds)[:, None] - asked[None, :]).min(axis=1)
    assert nearest.max() <= facts.tolerance_seconds + 1e-6
    assert facts.tolerance_seconds <= max(0.02, min(0.25 * interval_seconds, 0.5)) + 0.2 * ("uneven" in name)
    if "uneven" not in name:
        assert len(got.seconds) == len(asked)


def test_several_askers_are_served_by_one_decode(clips: Path, backend: str) -> None:
    media = open_media(clips / "h264_closed_groups.mp4", Limits())
    (every, often, seldom), facts = read_all(media, 0, 0.2, 1.0, backend=backend)
    assert len(every.seconds) == facts.frames_decoded == FRAMES
    assert often.seconds == pytest.approx([number * 0.2 for number in range(15)])
    assert seldom.seconds == pytest.approx([0.0, 1.0, 2.0])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_number_of_threads_changes_nothing(clips: Path, backend: str, threads: int) -> None:
    for name in ("h264_open_groups.mp4", "h264_closed_groups.mp4", "hevc_open_groups.mp4"):
        media = open_media(clips / name, Limits())
        (two,), _ = read_all(media, 0.3, backend=backend)
        (got,), _ = read_all(media, 0.3, backend=backend, threads=threads)
        assert got.seconds == two.seconds
        assert np.array_equal(got.pixels, two.pixels)


def test_what_an_edit_list_cuts_away_is_not_delivered(clips: Path, backend: str, tmp_path: Path) -> None:
    muxer = {"avoid_negative_ts": "disabled", "use_editlist": "1"}
    source = clips / "h264_closed_groups.mp4"
    media = open_media(remux(source, tmp_path / "cut.mp4", shift_seconds=-0.52, muxer=muxer), Limits())
    (every,), facts = read_all(media, 0, backend=backend)
    assert every.numbers == list(range(13, FRAMES))
    assert every.seconds[0] == pytest.approx(0.0)
    assert not facts.truncated
    (sampled,), _ = read_all(media, 0.4, backend=backend)
    assert sampled.numbers == [13, 24, 33, 43, 53, 63, 72]  # 24 and 72 are key frames, near enough to 23 and 73


def test_frames_before_the_first_key_frame_are_left_out(clips: Path, backend: str, tmp_path: Path) -> None:
    source = clips / "h264_closed_groups.mp4"
    media = open_media(remux(source, tmp_path / "late.mp4", keep=lambda number, packet: number > 0), Limits())
    (got,), facts = read_all(media, 0.4, backend=backend)
    assert got.numbers[0] == 24
    assert not facts.truncated


def test_the_facts_say_what_was_done_and_why(clips: Path, backend: str) -> None:
    media = open_media(clips / "h264_short_groups.mp4", Limits())
    _, facts = read_all(media, 0.4, backend=backend)
    assert facts.backend == backend.split()[0]
    assert facts.backend_reason
    assert facts.strategy == "keyframes"
    assert facts.frames_decoded == facts.frames_analyzed == 8
    assert facts.keyframe_interval_seconds == pytest.approx(0.4)
    assert facts.analyzed_seconds == pytest.approx(3.0)
    assert facts.last_good_seconds == pytest.approx(2.8)
