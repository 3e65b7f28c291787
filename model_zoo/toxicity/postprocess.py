"""From rated texts to segments: the stretches of time in which one kind of toxic language is said or shown."""

from __future__ import annotations

from collections.abc import Sequence

from model_zoo.ops.time import segment_fields
from model_zoo.toxicity.passages import FLAGGED
from model_zoo.toxicity.schema import LABELS, OVERALL, Origin, RatedText, ToxicitySegment
from model_zoo.values import Span

MERGE_GAP_SECONDS = 1.5  # a breath between two sentences
WEAK_KEYS = frozenset({"sexual"})  # rest on a word list and few examples: hints


def segments(texts: Sequence[RatedText]) -> list[ToxicitySegment]:
    """Return one segment for every stretch of flagged texts of one origin, item and label, in time order.

    Texts that were given have no times: each is an item, and stands alone.
    """
    sources: dict[tuple[Origin, int | None], list[RatedText]] = {}
    for text in texts:
        sources.setdefault((text.origin, text.item), []).append(text)
    found = [segment for rated in sources.values() for label in LABELS for segment in _of_label(rated, label)]
    return sorted(found, key=_place)


def _place(segment: ToxicitySegment) -> tuple[float, int, int]:
    """Return where a segment stands in the report."""
    return segment.start_seconds, -1 if segment.item is None else segment.item, LABELS.index(segment.label)


def _of_label(texts: Sequence[RatedText], label: str) -> list[ToxicitySegment]:
    flagged = sorted((text for text in texts if _score(text, label) >= FLAGGED), key=lambda text: text.start_seconds)
    groups: list[list[RatedText]] = []
    end = 0.0  # of the group that is open
    for text in flagged:
        if groups and text.start_seconds - end <= MERGE_GAP_SECONDS:
            groups[-1].append(text)
            end = max(end, text.end_seconds)
        else:
            groups.append([text])
            end = text.end_seconds
    return [_segment(group, label) for group in groups]


def _score(text: RatedText, label: str) -> float:
    return text.toxicity if label == OVERALL else text.scores.get(label, 0.0)


def _segment(texts: Sequence[RatedText], label: str) -> ToxicitySegment:
    peak = max(texts, key=lambda text: _score(text, label))
    span = Span(
        start_seconds=texts[0].start_seconds,
        end_seconds=max(text.end_seconds for text in texts),
        peak_seconds=peak.start_seconds,
        peak=_score(peak, label),
        mean=sum(_score(text, label) for text in texts) / len(texts),
        frames=len(texts),
    )
    status = "hint" if label in WEAK_KEYS else "finding"
    return ToxicitySegment(
        label=label,
        origin=peak.origin,
        item=peak.item,
        item_id=peak.item_id,
        status=status,
        **segment_fields(span),
    )
