"""From the scores of windows to sounds over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from model_zoo.manifest import ModelSpec
from model_zoo.ops.time import Apart, SpanRule, score_series, segment_fields, spans
from model_zoo.sounds.loudness import LEVEL, column, silences
from model_zoo.sounds.schema import SoundSegment
from model_zoo.values import Prediction, SoundWindows, Span, Tensors

# The network is shy: a cheering crowd stays below 0.3. What could alarm must be surer.
RULE = SpanRule(open_at=0.25, close_below=0.12, hold_seconds=1.0, merge_gap_seconds=1.0)
ALARMING_RULE = SpanRule(open_at=0.5, close_below=0.25, hold_seconds=1.0, merge_gap_seconds=1.0)

SILENCE = "Silence"  # the network's own is left out: silence is measured
EXPLOSION = "Explosion"
EXPLOSION_ALONE = "Explosion or thunder"
GUNFIRE = frozenset({"Gunshot, gunfire", "Machine gun", "Fusillade", "Artillery fire"})
SIRENS = frozenset(
    ("Siren", "Police car (siren)", "Ambulance (siren)", "Fire engine, fire truck (siren)", "Civil defense siren")
)
ALARMING = frozenset({EXPLOSION, "Screaming", "Shatter"}) | GUNFIRE | SIRENS

# An explosion is believed only in this company, and never beside what sounds the same
COMPANY = ALARMING - {EXPLOSION}
HARMLESS = frozenset({"Thunder", "Thunderstorm", "Rain", "Fireworks", "Firecracker"})
COMPANY_SECONDS = 5.0


def event_scores(outputs: Tensors, spec: ModelSpec, windows: SoundWindows) -> list[Prediction]:
    """Read (N, K) probabilities, each label by itself, and keep what can belong to a segment."""
    scores = outputs[spec.outputs[0]]
    rows, labels = np.nonzero(scores >= RULE.close_below)
    kept: list[dict[str, float]] = [{} for _ in range(len(scores))]
    for row, label, score in zip(rows.tolist(), labels.tolist(), scores[rows, labels].tolist(), strict=True):
        kept[row][spec.labels[label]] = score
    return [Prediction(seconds, found) for seconds, found in zip(windows.seconds.tolist(), kept, strict=True)]


def event_segments(predictions: Sequence[Prediction], window_seconds: float, end_seconds: float) -> list[SoundSegment]:
    """Return when each sound was heard, in any order; a segment begins with the first window that holds the sound."""
    seconds, series = score_series(predictions)
    found = {
        label: spans(seconds, scores, ALARMING_RULE if label in ALARMING else RULE, window_seconds, end_seconds)
        for label, scores in series.items()
        if label != SILENCE
    }
    others = {label: Apart(several) for label, several in found.items() if label in COMPANY | HARMLESS}
    return [
        SoundSegment(label=_name(label, span, others), basis="recognised", **segment_fields(span))
        for label, several in found.items()
        for span in several
    ]


def _name(label: str, span: Span, others: Mapping[str, Apart]) -> str:
    """Return the label to report: an explosion that nothing else speaks for is not called one."""
    if label != EXPLOSION:
        return label
    from_seconds, to_seconds = span.start_seconds - COMPANY_SECONDS, span.end_seconds + COMPANY_SECONDS
    around = {other for other, apart in others.items() if apart.touching(from_seconds, to_seconds)}
    return EXPLOSION if around & COMPANY and not around & HARMLESS else EXPLOSION_ALONE


def silence_segments(blocks: Sequence[Prediction], end_seconds: float) -> Iterator[SoundSegment]:
    """Yield the silences among the measured blocks."""
    seconds = np.array([block.seconds for block in blocks], np.float64)
    for start, end, count in silences(seconds, column(blocks, LEVEL), end_seconds):
        span = Span(start, end, start, 1.0, 1.0, count)
        yield SoundSegment(label=SILENCE, basis="measured", **segment_fields(span))
