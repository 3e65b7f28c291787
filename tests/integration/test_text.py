"""On-screen text on real weights: what a viewer reads is found, and nothing is read where nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks import measured, text_quality
from model_zoo.report import Segment
from serve.asked import Asked
from serve.pipeline import Analyzer
from serve.settings import load_settings
from tests.conftest import MEDIA

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def reader() -> Iterator[Analyzer]:
    with Analyzer(load_settings(domains="text")) as analyzer:
        yield analyzer


@pytest.fixture(scope="module")
def demo_segments() -> list[Segment]:
    with Analyzer(load_settings(domains="text,shots")) as analyzer:
        return list(analyzer.analyze(MEDIA / "demo.mp4").domains["text"].segments)


def test_a_caption_is_one_segment_from_the_cut_before_to_the_cut_after(demo_segments: list[Segment]) -> None:
    (caption,) = (segment for segment in demo_segments if "NEWS" in segment.label)
    assert caption.label == "CITY TRAFFIC NEWS"
    assert (caption.start_seconds, caption.end_seconds) == (8.48, 14.16)
    assert caption.frames >= 5
    assert caption.peak_confidence > 0.9


def test_a_title_that_comes_back_is_two_segments(demo_segments: list[Segment]) -> None:
    titles = [segment for segment in demo_segments if segment.label.startswith("Hello world")]
    assert [(title.start_seconds, title.end_seconds) for title in titles] == [(0, 2), (4, 7)]


def test_small_text_of_a_terminal_is_read(demo_segments: list[Segment]) -> None:
    read = " ".join(segment.label for segment in demo_segments)
    assert all(word in read for word in ("eriberto@canopus", "include", "local", "share", "sbin"))


def test_nothing_is_read_in_shots_without_writing(demo_segments: list[Segment]) -> None:
    assert not [segment for segment in demo_segments if segment.start_seconds >= 14.16]


@pytest.mark.parametrize("name", ["cat.png", "flower.jpg", "astronaut.jpg"])
def test_no_text_is_invented_on_a_picture_without_writing(reader: Analyzer, name: str) -> None:
    assert reader.analyze(MEDIA / "images" / name).domains["text"].segments == []


def test_a_screencast_says_hello(reader: Analyzer) -> None:
    segments = reader.analyze(MEDIA / "images" / "screencast_text.jpg").domains["text"].segments
    assert "Hello world..." in {segment.label for segment in segments}


def slides(path: Path, names: Sequence[str], seconds: int) -> Path:
    """Write a video of pictures that are shown for so long each, one frame a picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        stream.codec_context.gop_size = 1
        for number, name in enumerate(names):
            with av.open(str(MEDIA / "images" / name)) as picture:
                pixels = next(picture.decode(video=0)).to_ndarray(format="rgb24", width=640, height=360)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = number * seconds, Fraction(1)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("interval_seconds", [0.001, 1.0])
def test_what_stands_on_a_slide_is_there_for_as_long_as_the_slide(
    reader: Analyzer, tmp_path: Path, interval_seconds: float
) -> None:
    video = slides(tmp_path / "slides.mp4", ["flower.jpg", "screencast_text.jpg", "flower.jpg"], seconds=5)
    report = reader.analyze(video, asked=Asked(interval_seconds=interval_seconds))
    hello = [segment for segment in report.domains["text"].segments if segment.label == "Hello world..."]
    assert [(segment.start_seconds, segment.end_seconds, segment.frames) for segment in hello] == [(5, 10, 1)]


def damage(path: Path, first: int, end: int) -> Path:
    """Make the packets from one number on and before another unreadable."""
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for start, size in places[first:end]:
        content[start : start + size] = bytes(size)
    path.write_bytes(content)
    return path


def test_text_is_not_said_to_be_there_while_frames_are_lost(reader: Analyzer, tmp_path: Path) -> None:
    video = damage(slides(tmp_path / "slides.mp4", ["screencast_text.jpg"] * 20, seconds=1), 5, 15)
    report = reader.analyze(video)
    assert report.decode.truncated
    hello = [segment for segment in report.domains["text"].segments if segment.label == "Hello world..."]
    assert [(segment.start_seconds, segment.end_seconds) for segment in hello] == [(0, 5), (15, 20)]


@pytest.mark.media
def test_labelled_pictures_are_read_as_well_as_the_card_says(
    reader: Analyzer, rich_media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_quality, "RICH_MEDIA", rich_media)
    said = measured.read("text")
    assert measured.merged(said, text_quality.measure(reader), text_quality.SOURCE) == said
