"""What every domain keeps, whatever it looks for: one set of tests that each passes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_zoo.catalog import catalog
from model_zoo.domain import Domain, Loaded, Start, Summary
from model_zoo.domains import DOMAINS, by_name
from model_zoo.errors import UsageError
from model_zoo.manifest import ModelSpec
from model_zoo.ops.time import segment_fields
from model_zoo.report import Coverage, DomainPart
from model_zoo.text.schema import TextPart, TextSegment
from model_zoo.values import Frames, Listener, Prediction, SoundWindows, Span, Tensors, View, Watcher
from tests.conftest import ROOT

SPECS = catalog()
SIZE = (640, 360)
CTC_CLASSES = 6625  # a blank, the characters and a space
INTERVAL_SECONDS = 1.0
# decoders that read one row of probabilities
CLASSES = {"opennsfw": 2, "nsfwjs": 5, "softmax_labels": 1000, "sound_scores": 521, "toxicity_scores": 6}
TOKEN_VECTORS = {"sentence_heads": 384}  # decoders that read one row of numbers per token

EMBEDDINGS = {"dlib_face": 128, "voice_embedding": 256}  # decoders that read one row of numbers
KEY_POINTS = {"blazeface_full_range": 6, "blazeface_back": 6}  # decoders that read points with their boxes


def line(text: str, start_seconds: float) -> TextSegment:
    """Return a line of text that stands on the screen for a second."""
    span = Span(start_seconds, start_seconds + 1, start_seconds, 0.9, 0.9, 1)
    return TextSegment(label=text, points=[], **segment_fields(span))


SCREEN = TextPart(
    segments=[line(f"damn shit number {number}", 3.0 * number) for number in range(7)],
    coverage=[Coverage(label="text", grade="trained detector")],
)


class Noise:
    """A model whose outputs have the right shape and, for the same pixels, the same random values."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec

    def run(self, tensors: Tensors) -> Tensors:
        """Answer row by row."""
        if self.spec.decoder == "whisper":
            return murmur(tensors["filled"].tolist())
        (taken,) = tensors.values()
        rows = [self._row(zlib.crc32(row.tobytes()), row.shape) for row in taken]
        return {name: np.stack([row[index] for row in rows]) for index, name in enumerate(self.spec.outputs)}

    def _row(self, seed: int, size: tuple[int, ...]) -> tuple[np.ndarray, ...]:
        random = np.random.default_rng(seed)
        if self.spec.decoder in TOKEN_VECTORS:
            return (random.normal(0, 1, (*size, TOKEN_VECTORS[self.spec.decoder])).astype(np.float32),)
        if self.spec.decoder in EMBEDDINGS:
            return (random.normal(0, 0.1, EMBEDDINGS[self.spec.decoder]).astype(np.float32),)
        if self.spec.decoder == "speech_steps":
            return (np.repeat(random.uniform(0, 1, 10) > 0.3, 32).astype(np.float32),)
        if self.spec.decoder == "db":
            return (np.kron(random.uniform(0, 1, (1, size[0] // 32, size[1] // 32)) > 0.98, np.ones((32, 32), "f4")),)
        if self.spec.decoder == "ctc":
            best = random.integers(0, CTC_CLASSES, (size[1] // 8, 1))
            return ((np.arange(CTC_CLASSES) == best).astype(np.float32),)
        if self.spec.decoder in CLASSES:
            scores = random.exponential(1, CLASSES[self.spec.decoder]) ** 8
            return ((scores / scores.sum()).astype(np.float32),)
        low = random.uniform(0, 250, (30, 2))
        size = random.uniform(5, 150, (30, 2))
        scores = random.uniform(0, 1, (30, len(self.spec.labels))) ** 8
        if self.spec.decoder == "nudenet":
            return (np.concatenate([low + size / 2, size, scores], axis=1).T.astype(np.float32),)
        boxes = np.concatenate([low, low + size], axis=1).astype(np.float32)
        if self.spec.decoder in KEY_POINTS:
            points = low[:, None] + size[:, None] * random.uniform(0, 1, (30, KEY_POINTS[self.spec.decoder], 2))
            return scores[:, 0].astype(np.float32), boxes, points.astype(np.float32)
        return scores.astype(np.float32), boxes


def murmur(filled: Sequence[int]) -> Tensors:
    """Return words for every row, for as long as it is filled."""
    rows, words = len(filled), 6
    edges = np.linspace(0, 1, words + 1)[None] * np.array(filled)[:, None] / 16_000
    return {
        "words": np.tile([" These", " are", " words.", " And", " these", " too."], (rows, 1)),
        "word_times": np.stack([edges[:, :-1], edges[:, 1:]], axis=2).astype(np.float32),
        "word_confidences": np.random.default_rng(rows).uniform(0, 1, (rows, words)).astype(np.float32),
        "language": np.full(rows, "en"),
        "language_confidence": np.full(rows, 0.9, np.float32),
        "no_speech": np.zeros(rows, np.float32),
        "log_probability": np.full(rows, -0.3, np.float32),
        "repetition": np.full(rows, 1.2, np.float32),
    }


def models_of(domain: Domain) -> dict[str, Loaded]:
    """Fill every role, the optional ones too: with the default, else with the first model there is."""
    found = {}
    for role in domain.roles:
        fitting = [spec for spec in SPECS if (spec.domain, spec.role) == (domain.name, role)]
        spec = next((spec for spec in fitting if spec.default), fitting[0])
        found[role] = Loaded(spec, Noise(spec))
    return found


def pictures(view: View, count: int) -> Iterator[Frames]:
    """Yield frames of noise, 1 per second, in batches of 4."""
    random = np.random.default_rng(3)
    for start in range(0, count, 4):
        rows = min(4, count - start)
        pixels = random.integers(0, 255, (rows, view.height, view.width, 3), np.uint8)
        yield Frames(pixels, np.arange(start, start + rows, dtype=np.float64), view, *SIZE)


def windows(listener: Listener, count: int) -> Iterator[SoundWindows]:
    """Yield windows of noise, 1 per second, in batches of 4."""
    random = np.random.default_rng(3)
    size = round(listener.sample_rate * listener.window_seconds)
    for start in range(0, count, 4):
        rows = min(4, count - start)
        samples = random.uniform(-1, 1, (rows, size)).astype(np.float32)
        seconds = np.arange(start, start + rows, dtype=np.float64)
        yield SoundWindows(samples, seconds, np.full(rows, size), listener.sample_rate)


def predictions_of(domain: Domain, count: int, finished: bool = True) -> dict[str, list[Prediction]]:
    """Show a domain so many frames and windows, and end them unless told otherwise."""

    def rows_of(asked: Watcher | Listener) -> list[Prediction]:
        if isinstance(asked, Listener):
            rows = [row for batch in windows(asked, count) for row in asked.hear(batch)]
            return [*rows, *asked.finish()] if finished else rows
        return [row for frames in pictures(asked.view, count) for row in asked.predict(frames)]

    return {asked.role: rows_of(asked) for asked in domain.start(Start(models_of(domain), INTERVAL_SECONDS))}


def part_of(domain: Domain, predictions: dict[str, list[Prediction]], seconds: float) -> DomainPart:
    models = models_of(domain)
    specs = {role: loaded.spec for role, loaded in models.items()}
    size = SIZE if any(predictions.values()) else (0, 0)
    parts = {"text": SCREEN} if not predictions and seconds else {}  # what a domain that reads is given
    return domain.summarize(
        Summary(predictions, specs, INTERVAL_SECONDS, seconds, *size, parts, seconds, loaded=models)
    )


def all_predictions(rows: dict[str, list[Prediction]]) -> Sequence[Prediction]:
    return [row for several in rows.values() for row in several]


every_domain = pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.name)


@every_domain
def test_media_without_a_frame_gives_an_empty_part(domain: Domain) -> None:
    part = part_of(domain, predictions_of(domain, 0), 0.0)
    assert part.segments == []


@every_domain
def test_no_predictions_at_all_give_an_empty_part(domain: Domain) -> None:
    assert part_of(domain, {}, 0.0).segments == []


@every_domain
def test_a_still_image_is_no_special_case(domain: Domain) -> None:
    rows = predictions_of(domain, 1, finished=False)
    assert {len(several) for several in rows.values()} <= {1}  # a domain that reads others' text has none
    part = part_of(domain, predictions_of(domain, 1), 0.0)
    assert all((segment.start_seconds, segment.end_seconds) == (0, 0) for segment in part.segments)


@every_domain
def test_the_same_frames_give_the_same_part(domain: Domain) -> None:
    first, second = (part_of(domain, predictions_of(domain, 23), 23.0) for _ in range(2))
    assert first.model_dump_json() == second.model_dump_json()


@every_domain
def test_what_a_domain_asks_for_has_a_role_of_its_own_and_a_sensible_rhythm(domain: Domain) -> None:
    asked = domain.start(Start(models_of(domain), INTERVAL_SECONDS))
    assert len({item.role for item in asked}) == len(asked)
    for item in asked:
        if isinstance(item, Listener):
            assert item.sample_rate > 0
            assert 0 < item.hop_seconds <= item.window_seconds  # no sound goes unheard
        else:
            assert item.interval_seconds >= 0


@every_domain
def test_a_window_that_is_mostly_silence_after_the_end_is_no_special_case(domain: Domain) -> None:
    for item in domain.start(Start(models_of(domain), INTERVAL_SECONDS)):
        if isinstance(item, Listener):
            (batch,) = windows(item, 1)
            batch.samples[:, 1:] = 0
            (row,) = item.hear(replace(batch, filled=np.array([1])))
            assert all(0 <= score <= 1 for score in row.scores.values())


@every_domain
def test_every_frame_and_window_gets_one_prediction_with_its_time(domain: Domain) -> None:
    for several in predictions_of(domain, 9, finished=False).values():
        assert [row.seconds for row in several] == list(range(9))


@every_domain
def test_what_is_said_at_the_end_comes_after_what_was_said_before(domain: Domain) -> None:
    for several in predictions_of(domain, 9).values():
        assert [row.seconds for row in several[:9]] == list(range(9))
        assert all(row.seconds >= 8 for row in several[9:])


@every_domain
def test_scores_are_shares_and_boxes_lie_in_the_source_frame(domain: Domain) -> None:
    for row in all_predictions(predictions_of(domain, 9)):
        assert all(0 <= score <= 1 for score in row.scores.values())
        for box in row.boxes:
            assert 0 <= box.confidence <= 1
            assert 0 <= box.x1 <= box.x2 <= SIZE[0]
            assert 0 <= box.y1 <= box.y2 <= SIZE[1]


@every_domain
def test_segments_lie_within_the_media_and_are_in_order(domain: Domain) -> None:
    part = part_of(domain, predictions_of(domain, 23), 22.5)
    assert part.segments
    for segment in part.segments:
        assert 0 <= segment.start_seconds <= segment.peak_seconds <= segment.end_seconds <= 22.5
        assert 0 <= segment.mean_confidence <= segment.peak_confidence <= 1
        assert segment.frames >= 1
    starts = [segment.start_seconds for segment in part.segments]
    assert starts == sorted(starts)


@every_domain
def test_a_part_is_the_same_after_a_journey_through_json(domain: Domain) -> None:
    part = part_of(domain, predictions_of(domain, 23), 23.0)
    assert type(part) is domain.part
    assert domain.part.model_validate_json(part.model_dump_json()) == part


@every_domain
def test_coverage_names_every_label_once(domain: Domain) -> None:
    labels = [entry.label for entry in part_of(domain, predictions_of(domain, 0), 0.0).coverage]
    assert len(set(labels)) == len(labels)


@every_domain
def test_every_required_role_has_a_default_model(domain: Domain) -> None:
    defaults = {(spec.domain, spec.role) for spec in SPECS if spec.default}
    assert {(domain.name, role) for role, required in domain.roles.items() if required} <= defaults


@every_domain
def test_every_model_of_a_domain_fills_one_of_its_roles(domain: Domain) -> None:
    assert {spec.role for spec in SPECS if spec.domain == domain.name} <= set(domain.roles)


@every_domain
def test_a_domain_reads_only_domains_that_do_not_read_it(domain: Domain) -> None:
    def all_read(name: str) -> set[str]:
        return {name}.union(*(all_read(other) for other in by_name(name).reads))

    assert domain.name not in set().union(*(all_read(name) for name in domain.reads))


@every_domain
def test_a_domain_has_a_card_for_people(domain: Domain) -> None:
    card: Path = ROOT / "model_zoo" / domain.name / "README.md"
    text = card.read_text("utf-8")
    assert text.startswith("# ")
    for heading in ("## What it sees", "## What it does not see", "## Thresholds", "## Licence", "## Measured"):
        assert heading in text, f"{card} needs {heading!r}"


def test_names_of_domains_are_unique_and_a_wrong_one_is_refused_with_the_right_ones() -> None:
    assert len({domain.name for domain in DOMAINS}) == len(DOMAINS)
    names = ", ".join(domain.name for domain in DOMAINS)
    with pytest.raises(UsageError, match=f"moderatoin.*{names}"):
        by_name("moderatoin")
