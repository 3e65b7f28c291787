"""Which stretches of time meet, and what they cover, found without comparing every pair."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from model_zoo.report import Segment

Stretch = tuple[float, float]  # start and end in seconds


def meeting(ones: Sequence[Segment], others: Sequence[Segment]) -> list[list[Segment]]:
    """Return for each of `ones` those of `others` at the same time; a moment also meets what begins at it."""
    sides = (ones, others)
    starts = sorted(
        (segment.start_seconds, side, number) for side in (0, 1) for number, segment in enumerate(sides[side])
    )
    going: tuple[list[tuple[float, float, int]], ...] = ([], [])  # heaps of end, start and number
    met: list[list[Segment]] = [[] for _ in ones]
    for start, side, number in starts:
        beside = going[1 - side]
        while beside and beside[0][0] <= start and beside[0][1] < start:
            heapq.heappop(beside)
        for _, _, other in beside:
            one, another = (number, other) if side == 0 else (other, number)
            met[one].append(others[another])
        heapq.heappush(going[side], (sides[side][number].end_seconds, start, number))
    return met


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return what stretches cover together, in time order, none overlapping or touching another."""
    apart: list[Stretch] = []
    for start, end in sorted(stretches):
        if apart and start <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart


def covers(apart: Sequence[Stretch], start_seconds: float, end_seconds: float) -> bool:
    """Say whether a time lies within one of the stretches that `joined` returned."""
    number = bisect_right(apart, (start_seconds, math.inf)) - 1
    return number >= 0 and end_seconds <= apart[number][1]
