"""When the GPU's decoder fails, in whatever way and whenever, the frames are the same and the report says so."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from model_zoo.errors import BackendError, CorruptMediaError
from model_zoo.report import DecodeFacts
from model_zoo.values import View
from serve.decode.annexb import parameter_sets
from serve.decode.nvdec import NoNvdec, Nvdec, use_nvdec
from serve.decode.reading import read
from serve.decode.sessions import SessionKind, Sessions
from serve.decode.wanted import Wanted
from serve.devices import Gpu
from serve.limits import Limits
from serve.media import open_media
from tests.clips import number_in, write_clip
from tests.stand_in_nvcodec import Library, Pixel_Format, Trouble
from tests.twin import HostPainter

FRAMES = 60
GPU = Gpu("NVIDIA L4", sm=89, memory_bytes=24 << 30, cuda=12_080)
ANY_KIND = SessionKind("h264", 8, 160, 96)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = {"x264-params": "keyint=12:min-keyint=12:scenecut=0:bframes=2:log-level=none"}
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=FRAMES, options=options)


SMALL, MIDDLE, LARGE = (160, 96), (320, 192), (640, 384)
X264 = {"x264-params": "keyint=12:bframes=0:log-level=none"}
VPX = {"g": "12", "deadline": "realtime", "cpu-used": "8", "b": "3000000", "lag-in-frames": "0"}
TWO_SIZES: dict[str, tuple[str, dict[str, str], tuple[int, int], tuple[int, int]]] = {
    "larger.ts": ("libx264", X264, SMALL, MIDDLE),
    "smaller.ts": ("libx264", X264, MIDDLE, SMALL),
    "hevc.ts": (
        "libx265",
        {"x265-params": "keyint=12:bframes=0:log-level=none", "preset": "ultrafast"},
        MIDDLE,
        LARGE,
    ),
    "mpeg2.ts": ("mpeg2video", {"g": "12", "b": "3000000"}, SMALL, MIDDLE),
    "vp8.webm": ("libvpx", VPX, MIDDLE, SMALL),
    "vp9.webm": ("libvpx-vp9", VPX, MIDDLE, LARGE),
    "av1.webm": ("libsvtav1", {"preset": "12", "svtav1-params": "keyint=12:lookahead=0:pred-struct=1"}, LARGE, MIDDLE),
}


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of streams whose second half has another size than the first."""
    folder = tmp_path_factory.mktemp("sizes")
    for name, (codec, options, *both) in TWO_SIZES.items():
        with av.open(str(folder / name), "w") as outside:
            stream = outside.add_stream(codec, rate=25, options=options)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height = both[0]
            for number, size in enumerate(both):
                part = folder / f"{size[0]}_{name}"
                copied(write_clip(part, codec=codec, frames=24, options=options, size=size), stream, 0.96 * number)
    return folder


def copied(part: Path, stream: av.VideoStream, seconds: float) -> None:
    """Write a clip's packets into a stream, so much later."""
    with av.open(str(part)) as inside:
        taken = inside.streams.video[0]
        shift = round(seconds / (taken.time_base or 1))
        for packet in inside.demux(taken):
            if packet.size:
                packet.pts, packet.dts = (packet.pts or 0) + shift, (packet.dts or 0) + shift
                packet.stream = stream
                stream.container.mux(packet)


def engine(trouble: Trouble | None = None) -> tuple[Nvdec, Library]:
    library = Library(trouble)
    return Nvdec(GPU, Sessions(library, HostPainter)), library


def read_with(
    path: Path, nvdec: Nvdec | NoNvdec, intervals: Sequence[float] = (0.0,), backend: str = "nvdec", batch: int = 7
) -> tuple[list[tuple[int, float]], DecodeFacts]:
    """Return (number, seconds) of every frame of the first asker."""
    media = open_media(path, Limits())
    wanted = [Wanted(View(160, 96), interval, batch) for interval in intervals]
    got: list[list[tuple[int, float]]] = [[] for _ in intervals]
    with read(media, wanted, backend=backend, nvdec=nvdec) as reading:
        for asker, frames in reading:
            pairs = zip(frames.pixels, frames.seconds.tolist(), strict=True)
            got[asker] += [(number_in(picture), round(seconds, 6)) for picture, seconds in pairs]
    for asker, taken in enumerate(got):
        assert len(taken) == len(set(taken)), f"asker {asker} was given a frame twice"
    return got[0], reading.facts


def pictures_at_their_own_size(path: Path, nvdec: Nvdec) -> list[bytes]:
    media = open_media(path, Limits())
    assert media.facts.video is not None
    view = View(media.facts.video.width, media.facts.video.height)
    with read(media, [Wanted(view, 0.0, 8)], backend="nvdec", nvdec=nvdec) as reading:
        pictures = [picture.tobytes() for _, frames in reading for picture in frames.pixels]
    assert reading.facts.fallback_reason is None
    return pictures


@pytest.mark.parametrize("after_frames", [0, 1, 6, 7, 8, 30, FRAMES - 1])
@pytest.mark.parametrize("intervals", [(0.0,), (0.2,), (0.2, 1.0), (0.0, 0.4)])
def test_a_failure_in_the_middle_loses_and_repeats_no_frame(
    clip: Path, after_frames: int, intervals: Sequence[float]
) -> None:
    whole, _ = read_with(clip, engine()[0], intervals)
    assert len(whole) == (FRAMES if intervals[0] == 0 else 12)
    nvdec, _ = engine(Trouble(after_frames=after_frames))
    got, facts = read_with(clip, nvdec, intervals)
    assert got == whole
    assert not facts.truncated
    if facts.frames_decoded <= after_frames:
        return  # fewer frames were needed than it could do
    assert facts.fallback_reason is not None
    assert facts.fallback_reason.endswith("as the GPU could not: CUDA_ERROR_ILLEGAL_ADDRESS")


def test_the_report_says_from_when_on_the_cpu_decoded(clip: Path) -> None:
    _, facts = read_with(clip, engine(Trouble(after_frames=30))[0])
    assert facts.backend == "nvdec"
    assert facts.fallback_reason is not None
    assert facts.fallback_reason.startswith("decoded on the CPU from 1.16 s on, as the GPU could not: ")


def test_a_failure_when_the_session_is_opened_costs_nothing_but_a_line(clip: Path) -> None:
    got, facts = read_with(clip, engine(Trouble(at_open=True))[0])
    assert [number for number, _ in got] == list(range(FRAMES))
    assert facts.fallback_reason == (
        "decoded on the CPU from the beginning, as the GPU could not: PyNvDecoder constructor failed: out of memory"
    )


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (Trouble(refuses=True), "the driver's video engine does not decode h264 with 8 bits"),
        (Trouble(caps={"width_max": 128}), "takes 128x4096 at most of h264, not 160x96"),
        (Trouble(caps={"height_min": 128}), "takes 48x128 at least of h264, not 160x96"),
        (Trouble(caps={"mb_num_max": 59}), "takes 59 blocks of 16x16 pixels at most of h264, not 160x96"),
        (Trouble(layout=Pixel_Format.YUV444), "the video engine gave a surface of Pixel_Format.YUV444"),
    ],
)
def test_what_the_driver_refuses_goes_to_the_cpu(clip: Path, trouble: Trouble, reason: str) -> None:
    got, facts = read_with(clip, engine(trouble)[0])
    assert [number for number, _ in got] == list(range(FRAMES))
    assert reason in str(facts.fallback_reason)


def test_frames_that_the_engine_swallows_are_decoded_on_the_cpu(clip: Path) -> None:
    """An engine conceals damage without a word; that a frame that was due did not come is the only sign."""
    whole, _ = read_with(clip, engine()[0], (0.48,))
    got, facts = read_with(clip, engine(Trouble(loses=2))[0], (0.48,))
    assert got == whole
    assert "1 of the frames that were due did not come" in str(facts.fallback_reason)


@pytest.mark.parametrize("intervals", [(0.0,), (0.0, 0.4), (0.4,)])
@pytest.mark.parametrize("loses", [0, 10, FRAMES - 1])
def test_a_later_frame_does_not_stand_in_for_one_that_was_swallowed(
    clip: Path, loses: int, intervals: Sequence[float]
) -> None:
    whole, _ = read_with(clip, engine()[0], intervals)
    got, facts = read_with(clip, engine(Trouble(loses=loses))[0], intervals)
    assert got == whole
    if 0.0 in intervals:  # with fewer frames due, this one may not be
        assert "did not come" in str(facts.fallback_reason)


@pytest.mark.parametrize("name", TWO_SIZES)
def test_a_change_of_size_is_fitted_and_told_as_on_the_cpu(sizes: Path, name: str) -> None:
    """The engine itself would scale all that comes into surfaces of the first size, without a word."""
    on_cpu, facts = read_with(sizes / name, NoNvdec("none"), backend="cpu")
    before, after = (f"{width}x{height}" for width, height in TWO_SIZES[name][2:])
    change = f"the picture size changes from {before} to {after}"
    assert change in facts.strategy_reason
    nvdec, library = engine()
    got, facts = read_with(sizes / name, nvdec)
    assert got == on_cpu
    assert change in facts.strategy_reason
    assert "the stream begins anew, and its pictures may have another size" in str(facts.fallback_reason)
    assert len(library.opened) == 1


@pytest.mark.parametrize("name", ["larger.ts", "smaller.ts"])
def test_a_size_that_changed_where_packets_were_passed_over_is_noticed(sizes: Path, name: str) -> None:
    on_cpu, _ = read_with(sizes / name, NoNvdec("none"), (0.96,), backend="cpu")
    got, facts = read_with(sizes / name, engine()[0], (0.96,))
    assert got == on_cpu
    assert facts.fallback_reason is not None


def test_a_session_is_used_again_by_the_next_video_that_is_made_alike(clip: Path) -> None:
    nvdec, library = engine()
    for _ in range(3):
        read_with(clip, nvdec)
    assert len(library.opened) == 1
    assert library.asked == 1, "what the driver takes is asked once: every question opens a CUDA context"


@pytest.mark.parametrize(
    ("size", "parameters"), [((320, 192), "bframes=2"), ((96, 64), "bframes=2"), ((160, 96), "bframes=0:ref=1")]
)
def test_a_video_of_another_size_or_header_gets_its_own_session_and_its_own_pictures(
    clip: Path, tmp_path: Path, size: tuple[int, int], parameters: str
) -> None:
    options = {"x264-params": f"keyint=12:{parameters}:log-level=none"}
    other = write_clip(tmp_path / "other.mp4", frames=5, size=size, options=options)
    nvdec, library = engine()
    for path in (clip, other, clip, other):
        assert pictures_at_their_own_size(path, nvdec) == pictures_at_their_own_size(path, engine()[0])
    assert len(library.opened) == 2


@pytest.mark.parametrize("size", [(321, 181), (321, 180), (320, 181)])
def test_the_column_that_the_library_adds_to_an_odd_width_is_not_seen(tmp_path: Path, size: tuple[int, int]) -> None:
    options = {"deadline": "realtime", "cpu-used": "8", "b": "2000000"}
    path = write_clip(tmp_path / "odd.webm", codec="libvpx-vp9", frames=5, size=size, options=options)
    got, facts = read_with(path, engine()[0])
    assert [number for number, _ in got] == list(range(5))
    assert facts.fallback_reason is None
    assert "size changes" not in facts.strategy_reason
    media = open_media(path, Limits())
    ends = {}
    for backend in ("cpu", "nvdec"):
        with read(media, [Wanted(View(*size), 0.0, 8)], backend=backend, nvdec=engine()[0]) as reading:
            ends[backend] = np.concatenate([frames.pixels[:, :, -4:] for _, frames in reading]).astype(float)
    assert np.abs(ends["cpu"] - ends["nvdec"]).mean() < 6


@pytest.mark.parametrize("codec", ["mpeg1video", "mpeg2video"])
@pytest.mark.parametrize("interval", [0.0, 0.48])
def test_mpeg_whose_header_only_the_container_has_is_decoded(tmp_path: Path, codec: str, interval: float) -> None:
    path = write_clip(tmp_path / "clip.mkv", codec=codec, frames=36, options={"g": "12", "b": "3000000"})
    on_cpu, _ = read_with(path, NoNvdec("none"), (interval,), backend="cpu")
    got, facts = read_with(path, engine()[0], (interval,))
    assert got == on_cpu
    assert facts.fallback_reason is None


def test_a_session_that_failed_is_not_used_again(clip: Path) -> None:
    nvdec, library = engine(Trouble(after_frames=30))
    read_with(clip, nvdec)
    library.trouble.after_frames = None
    got, facts = read_with(clip, nvdec)
    assert len(library.opened) == 2
    assert len(got) == FRAMES
    assert facts.fallback_reason is None


def test_leaving_early_is_no_failure(clip: Path) -> None:
    nvdec, _ = engine()
    media = open_media(clip, Limits())
    with read(media, [Wanted(View(160, 96), 0, 1)], backend="nvdec", nvdec=nvdec) as reading:
        next(iter(reading))
    assert reading.facts.fallback_reason is None


def test_a_file_that_is_damaged_for_the_cpu_too_gives_the_cpus_error(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip.read_bytes())
    media = open_media(path, Limits())
    path.write_bytes(b"\0" * path.stat().st_size)
    with (
        pytest.raises(CorruptMediaError, match="changed while it was read"),
        read(media, [Wanted(View(160, 96), 0, 1)], backend="nvdec", nvdec=engine()[0]) as reading,
    ):
        list(reading)


def test_the_pictures_are_those_of_the_cpu_within_a_few_steps(media: Path) -> None:
    """Brightness nearly exactly; swscale does not place colour where H.264 says, so at sharp edges colours differ."""
    opened = open_media(media / "demo.mp4", Limits())
    wanted = [Wanted(View(320, 320, "letterbox"), 4.0, 8), Wanted(View(224, 224, "cover", 0.875), 4.0, 8)]
    pictures: dict[str, list[np.ndarray]] = {}
    for backend in ("cpu", "nvdec"):
        with read(opened, wanted, backend=backend, nvdec=engine()[0]) as reading:
            pictures[backend] = [picture.astype(float) for _, frames in reading for picture in frames.pixels]
        assert reading.facts.fallback_reason is None
    differences = [a - b for a, b in zip(pictures["cpu"], pictures["nvdec"], strict=True)]
    assert max(float(np.abs(difference).mean()) for difference in differences) < 3
    brightness = [np.abs(difference @ (0.2126, 0.7152, 0.0722)) for difference in differences]
    assert max(float(np.percentile(one, 99)) for one in brightness) < 4


def test_a_library_that_does_not_import_is_a_reason_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PyNvVideoCodec", None)
    found = use_nvdec(GPU)
    assert isinstance(found, NoNvdec)
    assert found.reason.startswith("the video engine of NVIDIA L4 cannot be used: ")
    assert "PyNvVideoCodec" in found.reason


def test_an_import_that_raises_anything_is_a_reason_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nvcodec_of_an_old_driver.py").write_text('raise RuntimeError("Driver version is too old\\n\\nlong")')
    monkeypatch.syspath_prepend(tmp_path)
    found = use_nvdec(GPU, "nvcodec_of_an_old_driver")
    assert found == NoNvdec("the video engine of NVIDIA L4 cannot be used: Driver version is too old")


def test_asking_for_the_gpu_where_there_is_none_is_refused_at_once(clip: Path) -> None:
    media = open_media(clip, Limits())
    with pytest.raises(BackendError, match=r"decoder=nvdec: no NVIDIA driver.*set decoder=auto"):
        read(media, [], backend="nvdec", nvdec=NoNvdec("no NVIDIA driver was found"))


def test_parameter_sets_of_both_codecs_are_read_from_the_header() -> None:
    avc = b"\x01\x64\x00\x1f\xff\xe1\x00\x02SP\x01\x00\x01P"
    assert parameter_sets("h264", avc) == b"\x00\x00\x00\x01SP\x00\x00\x00\x01P"
    hevc = bytes([1]) + bytes(20) + b"\xff\x02" + b"\xa0\x00\x01\x00\x01V" + b"\xa1\x00\x02\x00\x01S\x00\x01T"
    assert parameter_sets("hevc", hevc) == b"\x00\x00\x00\x01V\x00\x00\x00\x01S\x00\x00\x00\x01T"
    assert parameter_sets("h264", b"") == b""
    assert parameter_sets("h264", b"\x00\x00\x00\x01SP") == b"\x00\x00\x00\x01SP"


def test_as_many_videos_are_decoded_at_once_as_there_are_engines(clip: Path) -> None:
    library = Library()
    nvdec = Nvdec(GPU, Sessions(library, HostPainter, engines=2, patience_seconds=60.0))
    with ThreadPoolExecutor(6) as files:
        results = list(files.map(lambda _: read_with(clip, nvdec), range(6)))
    assert [(len(got), facts.backend, facts.fallback_reason) for got, facts in results] == [(FRAMES, "nvdec", None)] * 6
    assert len(library.opened) <= 2, "a session per engine, used again by the videos that waited"


def test_a_video_that_waits_too_long_for_an_engine_goes_to_the_cpu(clip: Path) -> None:
    nvdec = Nvdec(GPU, Sessions(Library(), HostPainter, engines=1, patience_seconds=0.01))
    with nvdec.sessions.session(ANY_KIND):
        got, facts = read_with(clip, nvdec)
    assert [number for number, _ in got] == list(range(FRAMES))
    assert "as the GPU could not: all 1 engines were busy with other videos for 0.01 s" in str(facts.fallback_reason)
    assert read_with(clip, nvdec)[1].fallback_reason is None, "the engine is free again"


def test_videos_that_wait_for_an_engine_are_served_in_the_order_in_which_they_came(clip: Path) -> None:
    sessions = Sessions(Library(), HostPainter, engines=1, patience_seconds=60.0)
    served: list[int] = []

    def wait(number: int) -> None:
        with sessions.session(ANY_KIND):
            served.append(number)

    with ThreadPoolExecutor(5) as files, sessions.session(ANY_KIND):
        for number in range(5):
            files.submit(wait, number)
            end = time.monotonic() + 60
            while len(sessions._queue) <= number and time.monotonic() < end:
                time.sleep(0.001)
        assert served == []
    assert served == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "said", "engines"),
    [
        ("Tesla T4", 2, 2),
        ("NVIDIA H100 80GB HBM3", 0, 7),
        ("NVIDIA A100-SXM4-40GB", 0, 5),
        ("NVIDIA A10G", 3, 3),
        ("NVIDIA L40S", 0, 3),
        ("a GPU to come", 0, 1),
    ],
)
def test_what_the_driver_counts_wins_over_the_table_of_engines(
    name: str, said: int, engines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PyNvVideoCodec", Library(Trouble(engines=said)))
    found = use_nvdec(replace(GPU, name=name), new_painter=HostPainter)
    assert isinstance(found, Nvdec)
    assert found.sessions.engines == engines
