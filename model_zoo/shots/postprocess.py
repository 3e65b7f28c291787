"""From marks on single frames to shots and transitions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np

from model_zoo.ops.time import Seconds, runs, sample_ends
from model_zoo.shots.detect import BLACK, CUT, CUT_DELAY_FRAMES, DARK, FADE
from model_zoo.shots.schema import Opening, Shot, ShotsPart, Transition
from model_zoo.values import Prediction

SHORTEST_SHOT_SECONDS = 0.2  # a shorter one is a flash or a damaged frame
NEAR_BLACK_FRAMES = 2  # a cut so near to a black stretch belongs to it


@dataclass(frozen=True, slots=True)
class Black:
    """A run of black frames, by number."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Boundary:
    """The first frame of a shot."""

    row: int
    opened_by: Opening


def part_of_frames(predictions: Sequence[Prediction], duration_seconds: float) -> ShotsPart:
    """Return the shots and transitions of all frames in time order."""
    if not predictions:
        return ShotsPart()
    seconds = np.array([prediction.seconds for prediction in predictions], np.float64)  # (T,)
    ends = sample_ends(seconds, inf, duration_seconds)
    cuts = _cuts(predictions)
    blacks = _black_runs(predictions)
    fades = _fades(blacks, cuts, _rows_with(FADE, predictions))
    boundaries = _boundaries(cuts, fades, seconds)
    transitions = [_transition("cut", seconds[b.row], seconds[b.row]) for b in boundaries if b.opened_by == "cut"]
    for black in blacks:
        kind: Literal["fade", "black"] = "fade" if black in fades else "black"
        transitions.append(_transition(kind, seconds[black.first], ends[black.last]))
    return ShotsPart(
        segments=list(_shots(boundaries, seconds, float(ends[-1]))),
        transitions=sorted(transitions, key=lambda transition: transition.start_seconds),
    )


def _rows_with(mark: str, predictions: Sequence[Prediction]) -> list[int]:
    return [row for row, prediction in enumerate(predictions) if mark in prediction.scores]


def _cuts(predictions: Sequence[Prediction]) -> list[int]:
    """Return the first frames after cuts; none from dark to dark, where the detector is misled by colours of noise."""
    dark = set(_rows_with(DARK, predictions))
    rows = (row - CUT_DELAY_FRAMES for row in _rows_with(CUT, predictions))
    return [row for row in rows if not {row - 1, row} <= dark]


def _black_runs(predictions: Sequence[Prediction]) -> list[Black]:
    first, last = runs(np.array([BLACK in prediction.scores for prediction in predictions]))
    return [Black(*ends) for ends in zip(first.tolist(), last.tolist(), strict=True)]


def _fades(blacks: Sequence[Black], cuts: Sequence[int], returns: Sequence[int]) -> set[Black]:
    """Return the black runs into and out of which the picture faded: it came back, and no cut lies beside them.

    Darkness without one black frame, such as a night scene, is no fade.
    """
    fades = set()
    lasts = [black.last for black in blacks]
    before = -1
    for back in returns:
        place = bisect_left(lasts, back) - 1  # of the last black run that ended by then
        if place >= 0 and lasts[place] > before and not _cut_beside(blacks[place], cuts):
            fades.add(blacks[place])
        before = back
    return fades


def _cut_beside(black: Black, cuts: Sequence[int]) -> bool:
    place = bisect_left(cuts, black.first - NEAR_BLACK_FRAMES)
    return place < len(cuts) and cuts[place] <= black.last + 1 + NEAR_BLACK_FRAMES


def _boundaries(cuts: Sequence[int], fades: set[Black], seconds: Seconds) -> list[Boundary]:
    """Return where shots begin; a fade's new shot begins in the middle of its black."""
    found = [Boundary(row, "cut") for row in cuts]
    found += [Boundary((black.first + black.last + 1) // 2, "fade") for black in fades]
    boundaries = [Boundary(0, "start")]
    for boundary in sorted(found, key=lambda boundary: boundary.row):
        if seconds[boundary.row] - seconds[boundaries[-1].row] >= SHORTEST_SHOT_SECONDS:
            boundaries.append(boundary)
    return boundaries


def _shots(boundaries: Sequence[Boundary], seconds: Seconds, end_seconds: float) -> Iterator[Shot]:
    rows = [boundary.row for boundary in boundaries] + [len(seconds)]
    times = [float(seconds[row]) for row in rows[:-1]] + [end_seconds]
    for index, boundary in enumerate(boundaries):
        yield Shot(
            start_seconds=round(times[index], 6),
            end_seconds=round(times[index + 1], 6),
            peak_seconds=round(times[index], 6),
            peak_confidence=1.0,
            mean_confidence=1.0,
            frames=rows[index + 1] - rows[index],
            index=index,
            opened_by=boundary.opened_by,
        )


def _transition(kind: Literal["cut", "fade", "black"], start_seconds: float, end_seconds: float) -> Transition:
    return Transition(kind=kind, start_seconds=round(float(start_seconds), 6), end_seconds=round(float(end_seconds), 6))
