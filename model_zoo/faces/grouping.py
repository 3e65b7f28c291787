"""Which tracks show the same person: average linkage over the whole media.

The distance of two groups is the root of the mean square distance of all their pairs of faces. It needs only each
group's number of faces, their mean and their mean square, so nothing else of a face is kept. Groups that are in one
frame together are different people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_AT_ONCE = 2000  # groups that are compared with each other; memory grows with the square
MOST_CARRIED = 4000  # people that are compared with those who come later: of more, those who were seen most

Embeddings = NDArray[np.float64]  # (M, D)
Distances = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Group:
    """Faces that are taken for one person's."""

    tracks: tuple[int, ...]
    frames: frozenset[float]  # seconds of the frames that show it
    count: int
    mean: NDArray[np.float64]  # (D,)
    mean_square: float  # of the embeddings' lengths


def group_of(track: int, frames: Sequence[float], embeddings: NDArray[np.floating]) -> Group:
    """Return the group of one track: the frames that show it, and the embeddings (M, D) of its recognisable faces."""
    faces = embeddings.astype(np.float64)
    return Group((track,), frozenset(frames), len(faces), faces.mean(axis=0), float((faces**2).sum(axis=1).mean()))


def people(groups: Sequence[Group], threshold: float) -> list[Group]:
    """Unite groups until no two are nearer than `threshold`; long media are united piece by piece.

    Where there are very many people, those who were seen least are not known again later.
    """
    united: list[Group] = []
    settled: list[Group] = []
    for start in range(0, len(groups), MOST_AT_ONCE):
        united = _united([*united, *groups[start : start + MOST_AT_ONCE]], threshold)
        if len(united) > MOST_CARRIED:
            united.sort(key=lambda group: -group.count)
            settled += united[MOST_CARRIED:]
            del united[MOST_CARRIED:]
    return united + settled


def square_distances(some: Sequence[Group], others: Sequence[Group]) -> Distances:
    """Return the mean square distance of all pairs of faces of every pair of groups: (M, K)."""
    means, other_means = (np.stack([group.mean for group in side]) for side in (some, others))
    squares, other_squares = (np.array([group.mean_square for group in side]) for side in (some, others))
    distances: Distances = means @ other_means.T
    distances *= -2  # in place, as this may be hundreds of megabytes
    distances += squares[:, None]
    distances += other_squares[None, :]
    return np.maximum(distances, 0, out=distances)


def _united(groups: list[Group], threshold: float) -> list[Group]:
    """Unite the nearest neighbours of chains: the same result as always uniting the nearest pair of all."""
    distances = square_distances(groups, groups)
    distances[_together(groups)] = np.inf
    np.fill_diagonal(distances, np.inf)
    counts = np.array([group.count for group in groups], np.float64)
    left = np.ones(len(groups), np.bool_)
    chain: list[int] = []
    while left.any():
        if not chain:
            chain.append(int(np.flatnonzero(left)[0]))
        last = chain[-1]
        nearest = int(np.where(left, distances[last], np.inf).argmin())
        if distances[last, nearest] > threshold**2:
            left[last] = False  # averages only grow: nothing will ever be near enough
            chain.pop()
        elif len(chain) > 1 and distances[last, nearest] >= distances[last, chain[-2]]:
            first, second = sorted((chain.pop(), chain.pop()))
            groups[first] = _joined(groups[first], groups[second])
            shares = counts[[first, second]] / counts[[first, second]].sum()
            row = distances[first] * shares[0] + distances[second] * shares[1]
            row[first] = np.inf
            distances[first], distances[:, first] = row, row
            counts[first] += counts[second]
            counts[second] = 0
            left[second] = False
        else:
            chain.append(nearest)
    return [group for group, count in zip(groups, counts, strict=True) if count]


def _joined(one: Group, other: Group) -> Group:
    count = one.count + other.count
    share = one.count / count
    return Group(
        one.tracks + other.tracks,
        one.frames | other.frames,
        count,
        one.mean * share + other.mean * (1 - share),
        one.mean_square * share + other.mean_square * (1 - share),
    )


def _together(groups: Sequence[Group]) -> NDArray[np.bool_]:
    """Tell which pairs of groups (M, M) are in one frame together."""
    by_frame: dict[float, list[int]] = {}
    for index, group in enumerate(groups):
        for seconds in group.frames:
            by_frame.setdefault(seconds, []).append(index)
    together = np.zeros((len(groups), len(groups)), np.bool_)
    for present in by_frame.values():
        together[np.ix_(present, present)] = True
    return together
