"""What sounds in any channel is heard, however many there are and wherever they are said to be."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest

from serve.pipeline import Analyzer
from serve.settings import load_settings
from tests.unit.sound_fixtures import Stretch, clicks, silence, tone, write
from tests.unit.test_hearing import RATE, line, times_of_clicks

SECONDS = 3.0
FULL = 0.3


def level(samples: np.ndarray) -> float:
    """Return the root mean square, without the first and last fifth of a second."""
    inside = samples[RATE // 5 : -RATE // 5]
    return float(np.sqrt(np.mean(inside**2)))


def in_channel(index: int, channels: int, rate: int = 48_000) -> np.ndarray:
    """Return a tone in one channel of several (C, S)."""
    sound = silence(SECONDS, rate, channels)
    sound[index] = tone(SECONDS, rate, 440, FULL)[0]
    return sound


@pytest.mark.parametrize("channels", [9, 11, 13, 20])
def test_sound_of_channels_that_have_no_place_is_heard(tmp_path: Path, channels: int) -> None:
    sound = clicks(SECONDS, 48_000, 0.5, 2.25, channels=channels)
    samples, facts = line(write(tmp_path / "many.wav", 48_000, [Stretch(sound)], layout=f"{channels} channels"))
    assert times_of_clicks(samples) == pytest.approx([0.5, 2.25], abs=1 / RATE)
    assert len(samples) == pytest.approx(SECONDS * RATE, abs=2)
    assert (facts.truncated, facts.reason) == (False, f"stream #0, its {channels} channels mixed to one")


def test_ambisonic_sound_is_heard_as_it_comes_from_all_around(tmp_path: Path) -> None:
    sound = np.concatenate([tone(SECONDS, 48_000, 440, FULL), 0.5 * tone(SECONDS, 48_000, 3000, FULL, channels=3)])
    path = write(
        tmp_path / "around.mkv", 48_000, [Stretch(sound)], codec="libopus", layout="ambisonic 1",
        options={"mapping_family": "2"},
    )  # fmt: skip
    with av.open(str(path)) as container:
        assert container.streams.audio[0].layout.name == "ambisonic 1"
    samples, facts = line(path)
    assert level(samples) == pytest.approx(FULL / np.sqrt(2), rel=0.05)
    assert not facts.truncated


@pytest.mark.parametrize("other", [-1.0, -0.8])
def test_what_is_in_opposite_phase_is_heard_and_told(tmp_path: Path, other: float) -> None:
    one = tone(SECONDS, 48_000, 440, FULL)
    samples, facts = line(write(tmp_path / "opposite.wav", 48_000, [Stretch(np.concatenate([one, other * one]))]))
    assert level(samples) == pytest.approx(FULL / np.sqrt(2), rel=0.15)
    assert "in 3.00 s the mix lost most of its loudest channel, which was added to it" in facts.reason


@pytest.mark.parametrize("index", range(6), ids=["left", "right", "centre", "bass", "back left", "back right"])
def test_one_speaker_of_six_alone_is_heard(tmp_path: Path, index: int) -> None:
    samples, _ = line(write(tmp_path / "one.wav", 48_000, [Stretch(in_channel(index, 6))]))
    assert level(samples) > 0.2 * FULL / np.sqrt(2)


def test_only_the_stretch_that_cancels_is_lifted_and_it_begins_without_a_click(tmp_path: Path) -> None:
    one = tone(6.0, 48_000, 440, FULL)[0]
    other = one.copy()
    other[2 * 48_000 : 4 * 48_000] *= -1
    samples, facts = line(write(tmp_path / "part.wav", 48_000, [Stretch(np.stack([one, other]))]))
    told = re.search(r"in (\d.\d\d) s the mix lost", facts.reason)
    assert told
    assert float(told[1]) == pytest.approx(2.0, abs=0.25)
    steepest = FULL * 2 * np.pi * 440 / RATE
    assert np.abs(np.diff(samples[: round(3.9 * RATE)])).max() < 1.2 * steepest
    assert level(samples) == pytest.approx(FULL / np.sqrt(2), rel=0.05)


def test_ordinary_stereo_is_mixed_as_ever(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    wide = 0.2 * random.standard_normal((2, 3 * RATE)).astype(np.float32)
    samples, facts = line(write(tmp_path / "wide.wav", RATE, [Stretch(wide)]))
    np.testing.assert_allclose(samples, (np.round(wide * 32767) / 32768).mean(axis=0), atol=1e-6)
    assert facts.reason == "stream #0, its 2 channels mixed to one"


def test_a_hum_in_the_bass_channel_does_not_hide_who_speaks_in_the_centre(tmp_path: Path) -> None:
    sound = in_channel(3, 6)
    sound[2] = tone(SECONDS, 48_000, 1000, FULL / 8)[0]
    samples, _ = line(write(tmp_path / "hum.wav", 48_000, [Stretch(sound)]))
    at_1000_hertz = 2 * np.abs(np.fft.rfft(samples[:RATE])[1000]) / RATE
    assert at_1000_hertz == pytest.approx(0.293 * FULL / 8, rel=0.05)


def test_sound_that_cannot_be_converted_ends_there_and_the_pictures_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "odd.mkv", 48_000, [Stretch(tone(3, 48_000, 440, FULL, channels=2))], video_seconds=3)

    def fails(self: object, frame: object) -> None:
        raise av.error.ArgumentError(22, "Invalid argument")

    monkeypatch.setattr("serve.decode.sound._Line.add", fails)
    with Analyzer(load_settings(domains="shots,sounds", policy="none")) as analyzer:
        report = analyzer.analyze(path)
    assert report.sound is not None
    assert report.sound.truncated
    assert "cannot be converted: Invalid argument" in str(report.sound.truncated_reason)
    assert (report.complete, report.errors) == (False, [])
    assert report.decode.analyzed_seconds > 2
