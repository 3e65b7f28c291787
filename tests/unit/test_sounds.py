"""Sounds: scores of windows become sounds over time, blocks become levels; real weights on real sounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_zoo import moderation, sounds
from model_zoo.catalog import catalog, choose
from model_zoo.domain import Start, Summary
from model_zoo.errors import BackendError
from model_zoo.licences import accepts_licence
from model_zoo.moderation.schema import ModerationPart
from model_zoo.report import DomainPart, Report
from model_zoo.sounds.loudness import LEVEL, RATE, WEIGHTED, listener, measure
from model_zoo.sounds.postprocess import ALARMING, HARMLESS, SILENCE
from model_zoo.sounds.schema import SoundsPart
from model_zoo.values import Listener, Prediction, Sound, SoundWindows
from serve.decode.windows import Cutter, WantedSound
from serve.pipeline import Analyzer
from serve.settings import load_settings
from tests.conftest import MEDIA
from tests.unit.sound_fixtures import Stretch, silence, tone, write

SPECS = catalog()
YAMNET = choose("sounds", "events", None, SPECS)
HOP = 0.48


def blocks_of(samples: np.ndarray) -> list[Prediction]:
    """Return the measured blocks of a sound (1, S) at 48 kHz."""
    asked = listener("levels")
    cutter = Cutter(WantedSound(asked.sample_rate, asked.window_seconds, asked.hop_seconds, batch=16))
    batches = [*cutter.add(Sound(samples[0], RATE, 0.0)), *cutter.finish()]
    return [row for batch in batches for row in measure(batch)]


def part_of(
    *windows: Mapping[str, float], samples: np.ndarray | None = None, seconds: float | None = None
) -> SoundsPart:
    """Return the part for scores of windows, over a quiet tone where no sound is given."""
    end = seconds or max(1.0, len(windows) * HOP)
    blocks = blocks_of(tone(end, RATE, 440, 0.1) if samples is None else samples)
    rows = [Prediction(index * HOP, dict(scores)) for index, scores in enumerate(windows)]
    predictions = {"events": rows, "levels": blocks}
    return sounds.summarize(Summary(predictions, {"events": YAMNET}, 1.0, 0.0, 0, 0, {}, end))


def times(part: DomainPart) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for segment in part.segments:
        found.setdefault(segment.label, []).append((segment.start_seconds, segment.end_seconds))
    return found


def hints(part: DomainPart) -> set[str]:
    """Return what moderation makes of the sounds alone."""
    models = {role: choose("moderation", role, None, SPECS) for role in ("nsfw_score", "nsfw_classes")}
    found = moderation.summarize(Summary({}, models, 1.0, 10.0, 0, 0, {"sounds": part}, 10.0))
    assert isinstance(found, ModerationPart)
    assert {segment.status for segment in found.segments} <= {"hint"}
    return {segment.label for segment in found.segments}


def test_a_sound_goes_on_below_the_score_that_opened_it() -> None:
    scores = (0.0, 0.15, 0.3, 0.2, 0.15, 0.05, 0.0, 0.0, 0.0, 0.2)
    part = part_of(*({"Dog": score} for score in scores))
    assert times(part) == {"Dog": [(pytest.approx(1 * HOP), pytest.approx(5 * HOP))]}
    assert part.segments[0].basis == "recognised"


def test_a_sound_in_the_last_window_lasts_to_the_end_of_the_sound() -> None:
    part = part_of({}, {"Dog": 0.9}, seconds=1.3)
    assert times(part) == {"Dog": [(HOP, 1.3)]}


def test_what_could_alarm_must_be_surer_than_the_rest() -> None:
    assert times(part_of({"Screaming": 0.45, "Dog": 0.45})) == {"Dog": [(0, 0.975)]}
    assert "Screaming" in times(part_of({"Screaming": 0.55}))


def test_an_explosion_alone_never_alarms() -> None:
    part = part_of({"Explosion": 0.99}, {"Explosion": 0.99}, {"Explosion": 0.99})
    assert set(times(part)) == {"Explosion or thunder"}
    assert hints(part) == set()


@pytest.mark.parametrize("company", ["Gunshot, gunfire", "Screaming", "Siren", "Shatter"])
def test_an_explosion_in_company_is_one(company: str) -> None:
    part = part_of({"Explosion": 0.9}, {}, {}, {company: 0.6})
    assert set(times(part)) == {"Explosion", company}
    assert {"Violence", "Graphic Violence", "Explosions and Blasts"} <= hints(part)


@pytest.mark.parametrize("harmless", sorted(HARMLESS))
def test_an_explosion_beside_what_sounds_the_same_is_none(harmless: str) -> None:
    part = part_of({"Explosion": 0.9}, {}, {"Siren": 0.6, harmless: 0.6})
    assert "Explosion" not in times(part)
    assert "Explosions and Blasts" not in hints(part)


def test_company_long_before_does_not_count() -> None:
    part = part_of({"Siren": 0.9}, *({} for _ in range(20)), {"Explosion": 0.9})
    assert "Explosion" not in times(part)


def test_gunshots_are_hints_of_weapon_violence_and_nothing_more() -> None:
    assert hints(part_of({"Gunshot, gunfire": 0.8})) == {"Violence", "Graphic Violence", "Weapon Violence"}


def test_every_name_that_means_something_is_one_of_the_network() -> None:
    assert set(YAMNET.labels) >= ALARMING | HARMLESS | {SILENCE}
    assert len(YAMNET.labels) == 521


def test_the_networks_licence_passes_the_gate_and_its_route_is_said() -> None:
    assert YAMNET.default
    assert accepts_licence(YAMNET, "permissive")
    assert "carries no licence text" in YAMNET.licence.note


@pytest.mark.parametrize(("hertz", "lufs"), [(997, -3.01), (100, -4.8), (10_000, 0.3)])
def test_a_full_scale_tone_is_as_loud_as_the_standard_says(hertz: float, lufs: float) -> None:
    """ITU-R BS.1770-4 gives -3.01 LKFS for 997 Hz; the others follow from its filters' published response."""
    part = part_of(samples=tone(5, RATE, hertz, 0.5), seconds=5)
    assert part.loudness_lufs == pytest.approx(lufs - 6.02, abs=0.15)
    assert part.level_dbfs == pytest.approx(-9.03, abs=0.05)


def test_loudness_is_of_what_sounds_and_level_of_all() -> None:
    samples = np.concatenate([tone(10, RATE, 997, 0.1), silence(10, RATE)], axis=1)
    part = part_of(samples=samples, seconds=20)
    assert part.loudness_lufs == pytest.approx(-23.0, abs=0.15)
    assert part.level_dbfs == pytest.approx(-26.0, abs=0.1)
    assert times(part) == {"Silence": [(pytest.approx(10.0), pytest.approx(20.0))]}


def test_short_pauses_and_faint_noise_are_no_silence() -> None:
    faint = np.random.default_rng(1).normal(0, 0.002, (1, 3 * RATE)).astype(np.float32)  # -54 dBFS
    pause = np.concatenate([tone(1, RATE, 440, 0.1), silence(0.9, RATE), tone(1, RATE, 440, 0.1)], axis=1)
    assert part_of(samples=faint, seconds=3).segments == []
    assert part_of(samples=pause, seconds=2.9).segments == []


def test_digital_silence_has_no_loudness() -> None:
    part = part_of(samples=silence(3, RATE), seconds=3)
    assert (part.loudness_lufs, part.level_dbfs, part.clipped_share) == (None, -120.0, 0.0)
    assert times(part) == {"Silence": [(0.0, 3.0)]}


def test_the_share_of_clipped_samples_is_said() -> None:
    half = np.where(np.arange(4 * RATE) % 2, 1.0, 0.0).astype(np.float32)[None]
    assert part_of(samples=half, seconds=4).clipped_share == pytest.approx(0.5)
    assert part_of(samples=tone(4, RATE, 440, 0.99), seconds=4).clipped_share == 0


def test_silence_after_the_end_is_not_measured() -> None:
    (block,) = blocks_of(tone(0.1, RATE, 997, 0.5))
    assert block.scores[LEVEL] == pytest.approx(0.5 / 2**0.5, rel=0.01)
    assert block.scores[WEIGHTED] == pytest.approx(0.5 / 2**0.5, rel=0.15)


def test_without_sound_the_part_is_empty_and_nothing_is_covered() -> None:
    part = sounds.summarize(Summary({}, {"events": YAMNET}, 1.0, 5.0, 640, 360, {}, 0.0))
    assert (part.segments, part.loudness_lufs, part.clipped_share) == ([], None, None)
    assert [entry.grade for entry in part.coverage] == ["not covered"]
    models = {role: choose("moderation", role, None, SPECS) for role in ("nsfw_score", "nsfw_classes")}
    told = moderation.summarize(Summary({}, models, 1.0, 5.0, 640, 360, {"sounds": part}, 0.0)).coverage
    (violence,) = (entry for entry in told if entry.label == "Weapon Violence")
    assert (violence.grade, "sounds" in str(violence.reason)) == ("not covered", True)


@pytest.fixture(scope="module")
def analyzer() -> Iterator[Analyzer]:
    with Analyzer(load_settings(domains="sounds")) as ready:
        yield ready


def part_and_report(analyzer: Analyzer, path: Path) -> tuple[SoundsPart, Report]:
    report = analyzer.analyze(path)
    assert report.errors == []
    part = report.domains["sounds"]
    assert isinstance(part, SoundsPart)
    return part, report


@pytest.mark.weights
@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("applause.flac", {"Applause"}),
        ("dog_bark.wav", {"Dog", "Bark", "Silence"}),
        ("crowd_cheering.flac", {"Crowd"}),
        ("thunder.flac", {"Thunder", "Thunderstorm", "Rain"}),
        ("typing.flac", {"Typing", "Computer keyboard"}),
    ],
)
def test_everyday_sounds_are_recognised_and_raise_no_alarm(
    analyzer: Analyzer, rich_media: Path, name: str, labels: set[str]
) -> None:
    part, _ = part_and_report(analyzer, rich_media / "audio_events" / name)
    assert labels <= set(times(part))
    assert hints(part) == set()


@pytest.mark.weights
@pytest.mark.media
def test_thunder_that_reads_as_an_explosion_is_not_called_one(analyzer: Analyzer, rich_media: Path) -> None:
    part, _ = part_and_report(analyzer, rich_media / "audio_events" / "thunder.flac")
    (clap,) = (segment for segment in part.segments if segment.label == "Explosion or thunder")
    assert clap.peak_confidence > 0.9
    assert "Explosion" not in times(part)


@pytest.mark.weights
@pytest.mark.parametrize("path", sorted((MEDIA / "speech").glob("*.wav")), ids=lambda path: path.stem)
def test_speech_is_speech_and_no_violence(analyzer: Analyzer, path: Path) -> None:
    part, report = part_and_report(analyzer, path)
    ((start, end),) = times(part)["Speech"]
    assert start == 0
    assert end > 0.85 * report.sound.heard_seconds
    assert hints(part) == set()
    assert not set(times(part)) & ALARMING


@pytest.mark.weights
@pytest.mark.parametrize("name", ["demo.mp4", "variants/demo_audio.m4a"])
def test_the_end_of_the_demo_is_silent(analyzer: Analyzer, name: str) -> None:
    part, report = part_and_report(analyzer, MEDIA / name)
    assert report.complete
    assert report.sound.heard_seconds == pytest.approx(31.2, abs=0.05)
    (silent,) = (segment for segment in part.segments if segment.label == "Silence")
    assert (silent.start_seconds, silent.end_seconds) == pytest.approx((28.8, 31.2), abs=0.15)
    assert silent.basis == "measured"
    assert part.loudness_lufs == pytest.approx(-24.0, abs=0.2)  # ffmpeg's ebur128 says -24.0


@pytest.mark.weights
@pytest.mark.parametrize("name", ["variants/demo_noaudio.mp4", "images/cat.png"])
def test_media_without_sound_gives_an_empty_part_and_no_error(analyzer: Analyzer, name: str) -> None:
    part, report = part_and_report(analyzer, MEDIA / name)
    assert (part.segments, report.complete) == ([], True)
    assert report.sound.reason == "there is no sound in it"


@pytest.mark.weights
def test_a_domain_that_fails_to_hear_leaves_an_error_and_the_others_their_results() -> None:
    def fail(windows: SoundWindows) -> list[Prediction]:
        raise BackendError(f"{len(windows)} windows are too many")

    def start(given: Start) -> tuple[Listener]:
        return (Listener("deaf", 16_000, 1.0, 1.0, fail),)

    with Analyzer(load_settings(domains="sounds,shots")) as both:
        both.domains = tuple(replace(d, start=start) if d.name == "sounds" else d for d in both.domains)
        report = both.analyze(MEDIA / "variants" / "demo_vfr.mp4")
    assert list(report.domains) == ["shots"]
    assert [(error.domain, error.type) for error in report.errors] == [("sounds", "BackendError")]
    assert not report.complete


def siren(rate: int) -> np.ndarray:
    """Return 6 s of a wail, once up and down in 4 s, (1, S)."""
    seconds = np.arange(6 * rate) / rate
    turns = np.cumsum(975 + 375 * np.sin(2 * np.pi * 0.25 * seconds)) / rate
    return 0.3 * sum(np.sin(2 * np.pi * n * turns) / n for n in (1, 2, 3)).astype(np.float32)[None]


def bursts(rate: int) -> np.ndarray:
    """Return 6 s with four bursts of noise that die away within a tenth of a second, (1, S)."""
    samples = np.zeros((1, 6 * rate), np.float32)
    length = round(0.4 * rate)
    noise = np.random.default_rng(0).normal(0, 0.5, length) * np.exp(-np.arange(length) / (0.05 * rate))
    for start in (1.0, 2.5, 3.0, 4.0):
        samples[0, round(start * rate) :][:length] += noise.clip(-1, 1)
    return samples


@pytest.mark.weights
@pytest.mark.parametrize(
    ("make", "label", "hint"), [(siren, "Siren", "Violence"), (bursts, "Gunshot, gunfire", "Weapon Violence")]
)
def test_made_up_alarms_become_hints(
    analyzer: Analyzer, tmp_path: Path, make: Callable[[int], np.ndarray], label: str, hint: str
) -> None:
    """No recording of a gunshot is at hand: this shows that the path works, not how much it finds."""
    part, _ = part_and_report(analyzer, write(tmp_path / "made_up.wav", 16_000, [Stretch(make(16_000))]))
    assert label in times(part)
    assert hint in hints(part)
