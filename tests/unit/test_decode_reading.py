"""Reading frames: what they look like, and what is said when the media is damaged."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from model_zoo.errors import BackendError
from model_zoo.report import DecodeFacts
from model_zoo.values import Frames, View
from serve.decode.reading import Wanted, read
from serve.media import Limits, Media, open_media
from tests.clips import cut_off, number_in, write_clip

H264 = {"x264-params": "keyint=24:min-keyint=24:bframes=2:scenecut=0:log-level=none", "preset": "ultrafast"}


def opened(path: Path) -> Media:
    return open_media(path, Limits())


def read_one(media: Media, view: View, interval_seconds: float = 0) -> tuple[list[Frames], DecodeFacts]:
    with read(media, [Wanted(view, interval_seconds, batch=8)]) as reading:
        batches = [frames for _, frames in reading]
    return batches, reading.facts


def first_picture(path: Path, view: View) -> NDArray[np.uint8]:
    batches, _ = read_one(opened(path), view, 10.0)
    return batches[0].pixels[0]


def reference(path: Path) -> NDArray[np.float64]:
    """Decode the first frame at its own size with PyAV's conversion: (H, W, 3)."""
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(np.float64)


def mean_of_blocks(picture: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    height, width = picture.shape[0] // factor, picture.shape[1] // factor
    blocks = picture[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    return blocks.mean(axis=(1, 3))


def test_a_smaller_view_is_the_mean_of_the_pixels_it_covers(media: Path) -> None:
    expected = mean_of_blocks(reference(media / "demo.mp4"), 2)  # 854x480 -> 427x240
    picture = first_picture(media / "demo.mp4", View(427, 240))
    assert np.abs(picture - expected).mean() < 1.0


@pytest.mark.parametrize("size", [(160, 96), (1280, 720)])
def test_scaling_does_not_change_the_colours(tmp_path: Path, size: tuple[int, int]) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=2, options=H264, size=size)
    whole = first_picture(path, View(*size)).astype(np.float64)
    half = first_picture(path, View(size[0] // 2, size[1] // 2))
    assert np.abs(mean_of_blocks(whole, 2).mean(axis=(0, 1)) - half.mean(axis=(0, 1))).max() < 1.5


def test_a_photograph_keeps_its_colours(media: Path) -> None:
    path = media / "images" / "astronaut.jpg"  # 512x512, colour at full resolution
    picture = first_picture(path, View(256, 256))
    assert np.abs(picture - mean_of_blocks(reference(path), 2)).mean() < 1.5


def test_a_grey_picture_becomes_three_equal_channels(media: Path) -> None:
    picture = first_picture(media / "images" / "cameraman.png", View(128, 128)).astype(int)
    assert np.abs(picture[..., 0] - picture[..., 1]).max() <= 1
    assert picture.std() > 30


def test_a_palette_picture_and_one_with_alpha_are_read(tmp_path: Path) -> None:
    for name, codec, pixel_format in (("alpha.png", "png", "rgba"), ("palette.gif", "gif", "rgb8")):
        path = write_clip(tmp_path / name, codec=codec, pixel_format=pixel_format, frames=1, muxer={})
        assert number_in(first_picture(path, View(160, 96))) == 0


def test_a_letterbox_is_padded_with_its_grey_and_the_picture_lies_between(media: Path) -> None:
    picture = first_picture(media / "demo.mp4", View(320, 320, "letterbox", pad=114))
    assert (picture[:70] == 114).all()
    assert (picture[-70:] == 114).all()
    assert picture[70:250].std() > 20


def test_cover_shows_the_middle(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=2, options=H264)
    whole, middle = first_picture(path, View(160, 96)), first_picture(path, View(96, 96, "cover"))
    assert np.abs(middle.astype(int) - whole[:, 32:128]).mean() < 3


def test_a_turned_video_comes_upright(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "turned.mp4", frames=5, options=H264, rotation=-90)
    batches, _ = read_one(opened(path), View(96, 160))
    assert batches[0].source_width == 96
    lying = [np.rot90(picture) for picture in batches[0].pixels]
    assert [number_in(picture) for picture in lying] == [0, 1, 2, 3, 4]


def test_a_video_on_its_head_comes_upright(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "turned.mp4", frames=5, options=H264, rotation=180)
    batches, _ = read_one(opened(path), View(160, 96))
    assert [number_in(picture[::-1, ::-1]) for picture in batches[0].pixels] == [0, 1, 2, 3, 4]


def test_pixels_that_are_not_square_are_widened(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "wide.mp4", frames=2, options=H264, aspect=Fraction(2, 1))
    batches, _ = read_one(opened(path), View(320, 320, "letterbox", pad=0))
    assert (batches[0].source_width, batches[0].source_height) == (320, 96)
    rows = np.flatnonzero(batches[0].pixels[0].sum(axis=(1, 2)) > 0)
    assert (rows[0], rows[-1] + 1) == (112, 208)


def test_batches_are_full_but_for_the_last(media: Path) -> None:
    batches, facts = read_one(opened(media / "variants" / "demo_noaudio.mp4"), View(64, 36))
    assert [len(frames) for frames in batches] == [8] * 10 + [5]
    assert facts.frames_analyzed == 85


def test_a_batch_is_not_written_to_after_it_was_handed_out(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=40, options=H264)
    batches, _ = read_one(opened(path), View(160, 96))
    assert [number_in(picture) for frames in batches for picture in frames.pixels] == list(range(40))


def test_a_picture_is_one_frame_at_second_zero(media: Path) -> None:
    batches, facts = read_one(opened(media / "images" / "cat.png"), View(64, 64), 1.0)
    assert [frames.seconds.tolist() for frames in batches] == [[0.0]]
    assert (facts.strategy, facts.frames_decoded) == ("image", 1)


def test_sound_alone_gives_no_frames(media: Path) -> None:
    batches, facts = read_one(opened(media / "variants" / "demo_audio.m4a"), View(64, 64), 1.0)
    assert batches == []
    assert (facts.strategy, facts.strategy_reason) == ("none", "there is no picture in it")


def test_frames_are_read_by_their_own_times(media: Path) -> None:
    batches, _ = read_one(opened(media / "variants" / "demo_vfr.mp4"), View(64, 36))
    seconds = np.concatenate([frames.seconds for frames in batches])
    assert len(seconds) == 50
    assert len(set(np.round(np.diff(seconds), 3))) > 1


@pytest.mark.parametrize("interval_seconds", [0, 0.2])
def test_a_file_that_breaks_off_gives_what_it_holds_and_says_where(media: Path, interval_seconds: float) -> None:
    batches, facts = read_one(opened(media / "variants" / "demo_truncated.mp4"), View(64, 36), interval_seconds)
    assert batches
    assert facts.truncated
    assert facts.truncated_reason == "the file holds 21 of the 85 frames in its header"
    assert facts.last_good_seconds is not None
    assert 0.5 < facts.last_good_seconds < 0.85


def test_damage_in_the_middle_is_passed_over_and_said(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "damaged.mp4", frames=75, options=H264)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 6000] = np.random.default_rng(1).bytes(6000)
    path.write_bytes(data)
    batches, facts = read_one(opened(path), View(160, 96))
    numbers = [number_in(picture) for frames in batches for picture in frames.pixels]
    assert numbers[0] == 0
    assert numbers[-1] == 74
    assert facts.truncated_reason is not None
    assert "packets could not be decoded" in facts.truncated_reason


def test_a_cut_off_recording_of_a_broadcast_is_read_to_its_end(tmp_path: Path) -> None:
    path = cut_off(write_clip(tmp_path / "cut.ts", frames=75, options=H264), 0.6)
    batches, facts = read_one(opened(path), View(160, 96), 0.4)
    assert [number_in(picture) for picture in batches[0].pixels][:3] == [0, 10, 20]
    assert facts.last_good_seconds is not None


def test_a_reader_that_stops_early_leaves_no_thread(media: Path) -> None:
    before = threading.active_count()
    for interval_seconds in (0, 1.0):
        with read(opened(media / "demo.mp4"), [Wanted(View(64, 36), interval_seconds, 1)], ahead=1) as reading:
            next(iter(reading))
        assert threading.active_count() == before


def test_how_many_frames_to_expect_is_known_before_they_come(media: Path) -> None:
    wanted = [Wanted(View(64, 36), 0, 8), Wanted(View(64, 36), 1.0, 8)]
    with read(opened(media / "variants" / "demo_noaudio.mp4"), wanted) as reading:
        assert reading.expected == (85, 4)


def test_an_unknown_decoder_is_refused(media: Path) -> None:
    with pytest.raises(BackendError, match="decoder='quantum': choose auto or one of cpu"):
        read(opened(media / "demo.mp4"), [], backend="quantum")


@pytest.mark.media
@pytest.mark.parametrize("interval_seconds", [0, 1.0])
def test_every_openly_licensed_video_is_read_to_its_end(rich_media: Path, interval_seconds: float) -> None:
    clips = [*(rich_media / "video").glob("*.m*"), *(rich_media / "video" / "codecs").iterdir()]
    good = [clip for clip in clips if "invalid" not in clip.name]
    assert len(good) > 10
    for clip in good:
        media = opened(clip)
        with read(media, [Wanted(View(64, 36), interval_seconds, 8)]) as reading:
            count = sum(len(frames) for _, frames in reading)
        assert count == reading.expected[0], clip.name
        assert not reading.facts.truncated, f"{clip.name}: {reading.facts.truncated_reason}"
        assert reading.facts.analyzed_seconds == pytest.approx(media.facts.duration_seconds, abs=0.2), clip.name
