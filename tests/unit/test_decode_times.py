"""Files whose times are of no use: every part is looked at all the same, and the report says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from model_zoo.errors import MediaLimitError
from model_zoo.report import DecodeFacts
from model_zoo.values import View
from serve.decode.index import read_index
from serve.decode.reading import Wanted, read
from serve.media import Limits, open_media
from tests.clips import number_in, write_clip

ONE_BY_ONE = {"x264-params": "keyint=20:min-keyint=20:bframes=0:scenecut=0:log-level=none", "preset": "ultrafast"}
GUESS = "its frames are taken to be 0.04 s apart"


def with_times(source: Path, target: Path, time: Callable[[int], int]) -> Path:
    """Copy the packets, packet n at `time(n)` milliseconds."""
    with av.open(str(source)) as inside, av.open(str(target), "w") as outside:
        stream = inside.streams.video[0]
        copy = outside.add_stream_from_template(stream)
        for number, packet in enumerate(packet for packet in inside.demux(stream) if packet.size):
            packet.pts = packet.dts = round(time(number) / 1000 / packet.time_base)
            packet.stream = copy
            outside.mux(packet)
    return target


def numbers_of(path: Path, interval_seconds: float) -> tuple[list[int], list[float], DecodeFacts]:
    numbers, seconds = [], []
    with read(open_media(path, Limits()), [Wanted(View(160, 96), interval_seconds, batch=8)]) as reading:
        for _, frames in reading:
            numbers += [number_in(picture) for picture in frames.pixels]
            seconds += frames.seconds.tolist()
    return numbers, seconds, reading.facts


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("times") / "clip.mkv", frames=100, options=ONE_BY_ONE)


@pytest.mark.parametrize(
    ("time", "fault"),
    [
        (lambda number: 0, "99 of 100 frames have the same as another"),
        (lambda number: min(number, 10) * 40, "89 of 100 frames have the same as another"),
        (lambda number: number // 2 * 80, "50 of 100 frames have the same as another"),
        (lambda number: number, "more than 500 frames a second"),
        (lambda number: number if number < 50 else number * 40, "more than 500 frames a second"),
    ],
    ids=["all at once", "the rest at once", "two at a time", "a thousand a second", "half of it in a flash"],
)
def test_times_that_hide_frames_are_not_believed(
    clip: Path, tmp_path: Path, time: Callable[[int], int], fault: str
) -> None:
    path = with_times(clip, tmp_path / "hiding.mkv", time)
    numbers, seconds, facts = numbers_of(path, 0.4)
    assert numbers == list(range(0, 100, 10))
    assert seconds == pytest.approx([number * 0.04 for number in numbers], abs=0.002)
    assert facts.analyzed_seconds == pytest.approx(4.0)
    assert facts.truncated
    assert facts.truncated_reason == f"the file's times are unusable: {fault}; {GUESS}"


def test_a_recording_that_starts_over_in_the_middle_goes_on_where_it_was(tmp_path: Path) -> None:
    part = write_clip(tmp_path / "part.ts", frames=50, options=ONE_BY_ONE)
    path = tmp_path / "twice.ts"
    path.write_bytes(part.read_bytes() * 2)
    numbers, seconds, facts = numbers_of(path, 0.4)
    assert numbers == [0, 10, 20, 30, 40] * 2
    assert seconds == pytest.approx([place * 0.4 for place in range(10)])
    assert facts.truncated_reason is not None
    assert facts.truncated_reason.endswith(GUESS)


def test_two_frames_that_rounding_gave_one_time_do_no_harm(clip: Path, tmp_path: Path) -> None:
    path = with_times(clip, tmp_path / "pair.mkv", lambda number: (number - (number == 51)) * 40)
    numbers, _, facts = numbers_of(path, 0.4)
    assert numbers == list(range(0, 100, 10))
    assert not facts.truncated


def test_a_stream_without_times_says_that_they_are_guessed(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "raw.h264", frames=50, options=ONE_BY_ONE)
    numbers, _, facts = numbers_of(path, 0.4)
    assert numbers == [0, 10, 20, 30, 40]
    assert facts.truncated_reason == f"the file's times are unusable: 50 of 50 packets have none; {GUESS}"


def test_a_stream_without_times_has_a_limit_too(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "raw.h264", frames=50, options=ONE_BY_ONE)
    with pytest.raises(MediaLimitError, match=r"2\.0 s long \(by the number of its frames\)"):
        read_index(open_media(path, Limits(max_duration_seconds=1.0)))
    with pytest.raises(MediaLimitError, match=r"at 500 frames a second"):
        read_index(open_media(path, Limits(max_duration_seconds=0.05)))
