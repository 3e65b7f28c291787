"""Hearing: the sound of a file becomes windows with true times, whatever the file is like."""

from __future__ import annotations

import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_zoo.errors import CorruptMediaError, MediaLimitError
from model_zoo.report import SoundFacts
from model_zoo.values import Sound, SoundWindows
from serve.decode.hearing import WantedSound, hear
from serve.decode.windows import Cutter
from serve.limits import Limits
from serve.media import open_media
from tests.conftest import MEDIA
from tests.unit.sound_fixtures import PACKET, Stretch, clicks, silence, tone, write

RATE = 16_000
SECOND = WantedSound(RATE, 1.0, 1.0, batch=4)


def heard(
    path: Path, *wanted: WantedSound, limits: Limits | None = None
) -> tuple[list[list[SoundWindows]], SoundFacts]:
    """Return the batches of each that is wanted, and the facts."""
    with hear(open_media(path, limits or Limits()), wanted) as hearing:
        batches: list[list[SoundWindows]] = [[] for _ in wanted]
        for index, windows in hearing:
            batches[index].append(windows)
        return batches, hearing.facts


def line(path: Path, rate: int = RATE) -> tuple[np.ndarray, SoundFacts]:
    """Return the whole sound (S,) as its windows tell it."""
    (batches,), facts = heard(path, WantedSound(rate, 0.5, 0.5, batch=3))
    rows = [row[:filled] for batch in batches for row, filled in zip(batch.samples, batch.filled, strict=True)]
    return np.concatenate([*rows, np.empty(0, np.float32)]), facts


def times_of_clicks(samples: np.ndarray, rate: int = RATE) -> list[float]:
    """Return when a sample is louder than all within a tenth of a second around it."""
    loud = np.flatnonzero(np.abs(samples) > 0.2)
    groups = np.split(loud, np.flatnonzero(np.diff(loud) > rate / 10) + 1) if len(loud) else []
    return [group[np.abs(samples[group]).argmax()] / rate for group in groups]


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (44_100, 2), (48_000, 6), (8_000, 1)])
def test_a_click_is_heard_when_it_sounds_at_every_rate(tmp_path: Path, rate: int, channels: int) -> None:
    path = write(tmp_path / "clicks.mkv", rate, [Stretch(clicks(4.2, rate, 0.5, 3.25, channels=channels))])
    samples, facts = line(path)
    assert times_of_clicks(samples) == pytest.approx([0.5, 3.25], abs=1.5 / min(rate, RATE))
    assert len(samples) == pytest.approx(4.2 * RATE, abs=2)
    assert (facts.heard_seconds, facts.truncated) == (pytest.approx(4.2, abs=1e-4), False)


def test_sound_that_begins_after_the_picture_has_silence_before_it(tmp_path: Path) -> None:
    path = write(tmp_path / "late.mkv", RATE, [Stretch(clicks(2, RATE, 0.5), 1.5)], video_seconds=4)
    samples, facts = line(path)
    assert times_of_clicks(samples) == pytest.approx([2.0], abs=0.001)
    assert facts.heard_seconds == pytest.approx(3.5, abs=0.001)
    assert facts.filled_seconds == pytest.approx(1.5, abs=0.001)


def test_sound_alone_begins_at_second_0_whatever_its_clock_says(tmp_path: Path) -> None:
    samples, facts = line(write(tmp_path / "clock.mkv", RATE, [Stretch(clicks(2, RATE, 0.5), 7.0)]))
    assert times_of_clicks(samples) == pytest.approx([0.5], abs=0.001)
    assert facts.filled_seconds == 0


def test_a_gap_is_filled_with_silence_and_later_sound_keeps_its_time(tmp_path: Path) -> None:
    parts = [Stretch(clicks(2, 44_100, 1.0)), Stretch(clicks(2, 44_100, 1.0), 5.0)]
    samples, facts = line(write(tmp_path / "gap.mkv", 44_100, parts))
    assert times_of_clicks(samples) == pytest.approx([1.0, 6.0], abs=0.0015)  # Matroska counts milliseconds
    assert not np.abs(samples[round(2.1 * RATE) : round(4.9 * RATE)]).any()
    assert facts.filled_seconds == pytest.approx(3.0, abs=0.002)
    assert not facts.truncated


def jittery(folder: Path, jitter_seconds: float, rate: float = 1.0) -> Path:
    """Return a tone of 4 s with a click, in packets whose times are off by turns, on a clock that runs at a rate."""
    sound = clicks(4.2, 48_000, 0.5, 3.25) + tone(4.2, 48_000, 440, 0.1)
    packets = [
        Stretch(sound[:, start : start + PACKET], start / 48_000 * rate + 0.05 + jitter_seconds * (-1) ** number)
        for number, start in enumerate(range(0, sound.shape[1], PACKET))
    ]
    return write(folder / "jitter.mkv", 48_000, packets, video_seconds=4.2)


@pytest.mark.parametrize("jitter_seconds", [0.006, 0.01])
def test_times_of_packets_that_jitter_leave_the_sound_whole(tmp_path: Path, jitter_seconds: float) -> None:
    samples, facts = line(jittery(tmp_path, jitter_seconds))
    assert times_of_clicks(samples) == pytest.approx([0.55, 3.3], abs=0.02)
    assert not np.any(np.abs(samples[RATE // 2 : 4 * RATE].reshape(-1, 80)).max(axis=1) < 0.05)  # no hole of 5 ms
    assert facts.filled_seconds < 0.1
    assert len(samples) == pytest.approx(4.25 * RATE, abs=0.02 * RATE)


def test_a_clock_that_runs_away_from_the_samples_is_caught_up_with(tmp_path: Path) -> None:
    samples, facts = line(jittery(tmp_path, 0.006, rate=1.1))
    assert times_of_clicks(samples)[0] == pytest.approx(0.6, abs=0.11)
    assert times_of_clicks(samples)[-1] == pytest.approx(3.25 * 1.1 + 0.05, abs=0.11)
    assert facts.filled_seconds == pytest.approx(0.42, abs=0.11)


def test_times_that_go_back_are_said_and_what_overlaps_is_dropped(tmp_path: Path) -> None:
    first = write(tmp_path / "first.ts", 48_000, [Stretch(tone(4, 48_000, 440, 0.5))], codec="mp2")
    second = write(tmp_path / "second.ts", 48_000, [Stretch(tone(3, 48_000, 440, 0.5))], codec="mp2")
    (tmp_path / "both.ts").write_bytes(first.read_bytes() + second.read_bytes())
    samples, facts = line(tmp_path / "both.ts")
    assert len(samples) == pytest.approx(4.0 * RATE, abs=0.05 * RATE)
    assert facts.truncated
    assert "the times of the sound go back from 4.0" in str(facts.truncated_reason)


def test_loud_channels_together_stay_within_full_scale(tmp_path: Path) -> None:
    samples, _ = line(write(tmp_path / "loud.wav", 48_000, [Stretch(tone(1, 48_000, 440, 1.0, channels=6))]))
    assert 0.9 < np.abs(samples).max() <= 1.0


def test_several_listeners_are_served_by_one_decode(tmp_path: Path) -> None:
    path = write(tmp_path / "clicks.wav", 44_100, [Stretch(clicks(4.2, 44_100, 0.5, 3.25))])
    (slow, fast, other), facts = heard(
        path, SECOND, WantedSound(RATE, 0.975, 0.48, batch=5), WantedSound(48_000, 0.4, 0.1, batch=64)
    )
    assert facts.sample_rates == [16_000, 48_000]
    assert [len(batch) for batch in slow] == [4, 1]
    assert [batch.samples.shape[1] for batch in (slow[0], fast[0], other[0])] == [16_000, 15_600, 19_200]
    assert np.concatenate([batch.seconds for batch in fast]) == pytest.approx(np.arange(8) * 0.48)
    assert slow[-1].filled[-1] == pytest.approx(0.2 * RATE, abs=2)


@given(
    total=st.integers(0, 400), size=st.integers(1, 60), overlap=st.integers(0, 59), batch=st.integers(1, 7),
    pieces=st.integers(1, 90),
)  # fmt: skip
def test_windows_are_slices_of_the_sound(total: int, size: int, overlap: int, batch: int, pieces: int) -> None:
    rate, step = 100, max(1, size - overlap)
    samples = np.arange(1, total + 1, dtype=np.float32)
    cutter = Cutter(WantedSound(rate, size / rate, step / rate, batch))
    batches = []
    for start in range(0, total, pieces):
        batches += list(cutter.add(Sound(samples[start : start + pieces], rate, start / rate)))
    batches += list(cutter.finish())
    assert all(0 < len(rows) <= batch for rows in batches)
    rows = [row for rows in batches for row in rows.samples]
    filled = [count for rows in batches for count in rows.filled.tolist()]
    seconds = [second for rows in batches for second in rows.seconds.tolist()]
    for index, row in enumerate(rows):
        slice_ = samples[index * step : index * step + size]
        assert np.array_equal(row, np.pad(slice_, (0, size - len(slice_))))
        assert filled[index] == len(slice_) > 0
        assert seconds[index] == pytest.approx(index * step / rate)
    assert (len(rows) - 1) * step + size >= total > (len(rows) - 2) * step + size if len(rows) > 1 else total <= size


def test_windows_that_would_leave_sound_unheard_are_refused() -> None:
    with pytest.raises(ValueError, match=r"hop_seconds=0\.6: longer than the window"):
        Cutter(WantedSound(RATE, 0.5, 0.6, batch=1))


def test_a_file_without_sound_has_no_windows_and_says_so() -> None:
    (batches,), facts = heard(MEDIA / "variants" / "demo_noaudio.mp4", SECOND)
    assert (batches, facts.heard_seconds, facts.truncated) == ([], 0, False)
    assert facts.reason == "there is no sound in it"


def test_nothing_is_decoded_where_nobody_listens() -> None:
    batches, facts = heard(MEDIA / "variants" / "demo_audio.m4a")
    assert (batches, facts.reason) == ([], "no sound was asked for")


def test_a_file_that_breaks_off_says_where() -> None:
    (batches,), facts = heard(MEDIA / "variants" / "demo_truncated.mp4", SECOND)
    assert len(batches) == 1
    assert facts.truncated
    assert facts.truncated_reason == "the sound ends at 0.73 s of the 3.40 s in its header"


def damaged(folder: Path, first_share: float, last_share: float) -> Path:
    """Return the sound of the demo with a stretch of its bytes overwritten."""
    content = bytearray((MEDIA / "variants" / "demo_audio.m4a").read_bytes())
    start, end = (content.index(b"mdat") + 4 + round(share * 200_000) for share in (first_share, last_share))
    content[start:end] = np.random.default_rng(1).integers(0, 256, end - start, np.uint8).tobytes()
    path = folder / "damaged.m4a"
    path.write_bytes(bytes(content))
    return path


def test_damage_gives_what_can_be_heard_and_says_how_much_is_lost(tmp_path: Path) -> None:
    samples, facts = line(damaged(tmp_path, 0.3, 0.6))
    assert facts.truncated
    assert "packets could not be decoded" in str(facts.truncated_reason)
    assert facts.heard_seconds == pytest.approx(31.2, abs=0.1)
    assert len(samples) == pytest.approx(facts.heard_seconds * RATE, abs=2)


def test_sound_that_claims_more_hours_than_the_limit_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "hours.nut", RATE, [Stretch(silence(1, RATE)), Stretch(silence(1, RATE), 7200.0)])
    with pytest.raises(MediaLimitError, match="over the limit of 3,600"):
        heard(path, SECOND, limits=Limits(max_duration_seconds=3600))


def test_an_hour_of_silence_takes_little_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "gap.nut", 8_000, [Stretch(silence(1, 8_000)), Stretch(clicks(1, 8_000, 0.5), 3600.0)])
    tracemalloc.start()
    with hear(open_media(path, Limits()), [WantedSound(8_000, 30.0, 30.0, batch=2)]) as hearing:
        rows = sum(len(windows) for _, windows in hearing)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == 121
    assert peak_bytes < 30_000_000  # the hour is 115 MB


def test_a_file_of_sound_alone_that_gives_none_is_corrupt(tmp_path: Path) -> None:
    path = write(tmp_path / "empty.wav", RATE, [Stretch(silence(0.1, RATE))])
    path.write_bytes(path.read_bytes()[:-3200])
    with pytest.raises(CorruptMediaError, match="not one sound could be decoded"):
        heard(path, SECOND)


def test_leaving_early_stops_the_thread() -> None:
    before = threading.active_count()
    with hear(open_media(MEDIA / "demo.mp4", Limits()), [WantedSound(RATE, 0.1, 0.1, batch=1)]) as hearing:
        next(iter(hearing))
    assert threading.active_count() == before


def test_sound_alone_that_breaks_off_is_told_by_the_length_of_its_container(tmp_path: Path) -> None:
    path = write(tmp_path / "cut.mka", RATE, [Stretch(tone(10, RATE, 440, 0.5))])
    path.write_bytes(path.read_bytes()[: 4 * RATE * 2])
    samples, facts = line(path)
    assert 3 < len(samples) / RATE < 4.1
    assert facts.truncated
    assert "of the 10.00 s in its header" in str(facts.truncated_reason)
