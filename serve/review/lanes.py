"""The timeline: a lane for every domain, its segments packed into as few rows as they need."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from model_zoo.report import Report, Segment
from model_zoo.transcription.schema import SpeechSegment
from serve.overlaps import Stretch, joined
from serve.review.findings import Key, key_of

MOST_ROWS_WITH_GAPS = 32  # that are filled


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


@dataclass(slots=True)
class Row:
    """Segments that share a line, and when there is one."""

    segments: list[Segment]
    busy: list[Stretch]  # in time order, none overlapping

    def has_room(self, stretches: Iterable[Stretch]) -> bool:
        """Say whether nothing in it overlaps with any of the stretches."""
        return all(self._after(start) >= self._before(end) for start, end in stretches)

    def add(self, segments: Iterable[Segment], stretches: Iterable[Stretch]) -> None:
        """Put segments where there is room for them."""
        self.segments += segments
        for start, end in stretches:
            self.busy.insert(self._after(start), (start, end))

    def _after(self, seconds: float) -> int:
        """Return the number of the first busy stretch that ends later."""
        return bisect_right(self.busy, seconds, key=lambda stretch: stretch[1])

    def _before(self, seconds: float) -> int:
        """Return how many busy stretches begin earlier."""
        return bisect_left(self.busy, seconds, key=lambda stretch: stretch[0])


def _packed(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Lay segments into rows: those of a label stay together, and labels share a row where they never meet.

    Gaps are looked for in the first rows only; in those below a label begins where the last one has ended.
    """
    by_label: dict[str, list[Segment]] = {}
    for segment in segments:
        by_label.setdefault(segment.label, []).append(segment)
    rows: list[Row] = []
    free_from: list[tuple[float, int]] = []  # a heap: when a row below the first ones ends, and its number
    for group in sorted(by_label.values(), key=lambda group: group[0].start_seconds):
        stretches = joined((segment.start_seconds, segment.end_seconds) for segment in group)
        row = next((row for row in rows[:MOST_ROWS_WITH_GAPS] if row.has_room(stretches)), None)
        if row is not None:
            row.add(group, stretches)
            continue
        is_free = free_from and free_from[0][0] <= stretches[0][0]
        number = heappop(free_from)[1] if is_free else len(rows)
        if number == len(rows):
            rows.append(Row([], []))
        rows[number].add(group, stretches)
        if number >= MOST_ROWS_WITH_GAPS:
            heappush(free_from, (stretches[-1][1], number))
    return [sorted(row.segments, key=lambda segment: segment.start_seconds) for row in rows]
