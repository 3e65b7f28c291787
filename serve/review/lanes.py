"""The timeline: a lane for every domain, its segments packed into as few rows as they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model_zoo.report import Report, Segment
from model_zoo.transcription.schema import SpeechSegment
from serve.review.findings import Key, key_of


@dataclass(frozen=True, slots=True)
class Bar:
    """One segment on the timeline."""

    label: str  # what was said, where somebody speaks
    start_seconds: float
    end_seconds: float
    peak_seconds: float
    confidence: float
    is_hint: bool
    finding: int | None  # number of the finding that it is, from 0


@dataclass(frozen=True, slots=True)
class Lane:
    """What one domain found over time."""

    domain: str
    rows: tuple[tuple[Bar, ...], ...]  # bars of one label share a row

    @property
    def bars(self) -> int:
        """Return how many segments there are."""
        return sum(len(row) for row in self.rows)


def lanes(report: Report, numbers: Mapping[Key, int]) -> list[Lane]:
    """Return the lanes in the order of the report; `numbers` says which segments are findings."""
    return [
        Lane(domain, tuple(tuple(_bar(domain, segment, numbers) for segment in row) for row in _packed(part.segments)))
        for domain, part in report.domains.items()
    ]


def _bar(domain: str, segment: Segment, numbers: Mapping[Key, int]) -> Bar:
    return Bar(
        label=segment.text.strip() if isinstance(segment, SpeechSegment) else segment.label,
        start_seconds=segment.start_seconds,
        end_seconds=segment.end_seconds,
        peak_seconds=segment.peak_seconds,
        confidence=segment.peak_confidence,
        is_hint=segment.status == "hint",
        finding=numbers.get(key_of(domain, segment)),
    )


def _packed(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Lay segments into rows: those of a label stay together, and labels share a row where they never meet."""
    by_label: dict[str, list[Segment]] = {}
    for segment in segments:
        by_label.setdefault(segment.label, []).append(segment)
    rows: list[list[Segment]] = []
    for group in sorted(by_label.values(), key=lambda group: group[0].start_seconds):
        row = next((row for row in rows if not _meet(row, group)), None)
        if row is None:
            rows.append(list(group))
        else:
            row.extend(group)
    return [sorted(row, key=lambda segment: segment.start_seconds) for row in rows]


def _meet(row: Sequence[Segment], group: Sequence[Segment]) -> bool:
    """Say whether any two of them overlap in time."""
    spans = sorted(
        [(segment.start_seconds, segment.end_seconds, 0) for segment in row]
        + [(segment.start_seconds, segment.end_seconds, 1) for segment in group]
    )
    ends = [float("-inf"), float("-inf")]  # the latest end seen so far, of the row and of the group
    for start, end, side in spans:
        if start < ends[1 - side]:
            return True
        ends[side] = max(ends[side], end)
    return False
