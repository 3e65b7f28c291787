"""Link the boxes of sampled frames into tracks: which boxes show the same thing.

At one frame per second things jump, so a track is also looked for where its last two boxes point to, and boxes that
do not overlap may still match: nearness is IoU less the squared distance of the centres, measured in squared
diagonals of the rectangle around both boxes (Zheng et al., Distance-IoU Loss, 2020). A box of the same size matches
up to about 3/4 of its width away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model_zoo.ops.boxes import overlaps
from model_zoo.values import Box, Boxes, Prediction

LEAST_NEARNESS = 0.0  # -1..1; below this two boxes do not show the same thing


@dataclass(slots=True)
class Track:
    """One thing followed over time."""

    label: str
    seconds: list[float] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)  # of each box in its prediction


def link(
    predictions: Sequence[Prediction],
    ends: Mapping[float, float],
    missed_seconds: float,
    cuts_seconds: Sequence[float],
) -> list[Track]:
    """Return the tracks by their start; a track ends at a cut, or when it is not seen for longer than may be missed.

    `ends` tells until when each sample speaks, by its time.
    """
    tracks: list[Track] = []
    live: list[Track] = []
    shots = np.searchsorted(np.asarray(cuts_seconds), [prediction.seconds for prediction in predictions], side="right")
    for row, prediction in enumerate(predictions):
        if row and shots[row] != shots[row - 1]:
            live = []
        live = [track for track in live if prediction.seconds - ends[track.seconds[-1]] <= missed_seconds]
        taken = _match(live, prediction)
        for index, box in enumerate(prediction.boxes):
            track = taken.get(index)
            if track is None:
                track = Track(box.label)
                tracks.append(track)
                live.append(track)
            track.seconds.append(prediction.seconds)
            track.boxes.append(box)
            track.rows.append(index)
    return tracks


def nearness(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """Return how near every pair of boxes is, -1 to 1: (M, 4), (K, 4) -> (M, K)."""
    centres = (boxes[:, None, :2] + boxes[:, None, 2:] - others[None, :, :2] - others[None, :, 2:]) / 2  # (M, K, 2)
    low = np.minimum(boxes[:, None, :2], others[None, :, :2])
    high = np.maximum(boxes[:, None, 2:], others[None, :, 2:])
    diagonal = np.square(high - low).sum(axis=2)  # (M, K), squared
    apart = np.square(centres).sum(axis=2) / np.maximum(diagonal, 1e-6)
    near: NDArray[np.float32] = (overlaps(boxes, others) - apart).astype(np.float32)
    return near


def _match(live: Sequence[Track], prediction: Prediction) -> dict[int, Track]:
    """Give boxes (by index) to tracks of their label, the nearest pair first."""
    if not live or not prediction.boxes:
        return {}
    found = np.array([_corners(box) for box in prediction.boxes], np.float32)  # (M, 4)
    last = np.array([_corners(track.boxes[-1]) for track in live], np.float32)  # (K, 4)
    ahead = np.array([_ahead(track, prediction.seconds) for track in live], np.float32)
    near = np.maximum(nearness(found, last), nearness(found, ahead))  # (M, K)
    same = np.array([[box.label == track.label for track in live] for box in prediction.boxes])
    near[~same] = -np.inf
    taken: dict[int, Track] = {}
    while near.max() >= LEAST_NEARNESS:
        index, track = np.unravel_index(near.argmax(), near.shape)
        taken[int(index)] = live[int(track)]
        near[index, :] = -np.inf
        near[:, track] = -np.inf
    return taken


def _ahead(track: Track, seconds: float) -> tuple[float, ...]:
    """Return where a track would be if its centre went on as between its last two boxes."""
    box = track.boxes[-1]
    if len(track.boxes) < 2:
        return _corners(box)
    before = track.boxes[-2]
    steps = (seconds - track.seconds[-1]) / (track.seconds[-1] - track.seconds[-2])
    x = (box.x1 + box.x2 - before.x1 - before.x2) / 2 * steps
    y = (box.y1 + box.y2 - before.y1 - before.y2) / 2 * steps
    return box.x1 + x, box.y1 + y, box.x2 + x, box.y2 + y


def _corners(box: Box) -> tuple[float, float, float, float]:
    return box.x1, box.y1, box.x2, box.y2
