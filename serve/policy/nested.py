"""What a segment says beside the labels below it that nearer rules decide.

A domain with a tree of labels reports whatever it sees on every level above it, too. Where a policy names the lower
label, the segments above must not decide about it once more: they count for the rest of their evidence alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model_zoo.report import Evidence, Segment
from model_zoo.vocabulary import Known, Vocabulary
from serve.overlaps import meeting
from serve.policy.rules import DomainRules


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a segment."""

    segment: Segment  # with the confidence and the status of what is left
    without: tuple[str, ...] = ()  # the labels below it whose evidence is left out
    is_empty: bool = False  # all of it is left out


def lineage(label: str, vocabulary: Vocabulary) -> Iterator[str]:
    """Yield a label and everything above it, the label first."""
    name: str | None = label
    while name is not None:
        yield name
        name = vocabulary.get(name, Known()).parent


def named_for(label: str, rules: DomainRules, vocabulary: Vocabulary) -> str | None:
    """Return the label whose rule decides about a label, its own or one above it; None where neither is named."""
    return next((name for name in lineage(label, vocabulary) if name in rules.labels), None)


def rests(segments: Sequence[Segment], rules: DomainRules, vocabulary: Vocabulary) -> list[Rest]:
    """Return what each segment says beside the labels below it that a nearer rule decides."""
    below: dict[str, list[Segment]] = defaultdict(list)  # by the label above, whose own rule is farther away
    for segment in segments:
        named = named_for(segment.label, rules, vocabulary)
        if named is not None:
            for name in list(lineage(named, vocabulary))[1:]:
                below[name].append(segment)
    found = [Rest(segment) for segment in segments]
    for label, lower in below.items():
        places = [place for place, segment in enumerate(segments) if segment.label == label]
        for place, beside in zip(places, meeting([segments[place] for place in places], lower), strict=True):
            found[place] = _rest(segments[place], beside)
    return found


def _rest(segment: Segment, beside: Sequence[Segment]) -> Rest:
    """Leave the evidence out that the segments beside it have, too; without evidence nobody can tell, so all counts.

    The confidence of the rest is not in the report. That of its best evidence is never below it.
    """
    taken: dict[tuple[str, str], float] = {}
    for lower in beside:
        for item in _evidence(lower):
            key = item.source, item.label
            taken[key] = max(item.confidence, taken.get(key, 0.0))
    evidence = _evidence(segment)
    left = [item for item in evidence if item.confidence > taken.get((item.source, item.label), -1.0)]
    if len(left) == len(evidence):
        return Rest(segment)
    without = tuple(sorted({lower.label for lower in beside}))
    if not left:
        return Rest(segment, without, is_empty=True)
    best = max(item.confidence for item in left)
    if segment.status == "finding" and all(item.grade == "weak evidence" for item in left):
        return Rest(segment.model_copy(update={"status": "hint", "peak_confidence": best}), without)
    return Rest(segment.model_copy(update={"peak_confidence": min(best, segment.peak_confidence)}), without)


def _evidence(segment: Segment) -> list[Evidence]:
    return [item for item in getattr(segment, "evidence", ()) if isinstance(item, Evidence)]
