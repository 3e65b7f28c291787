"""Look at every candidate again: alone, its eyes level, at the size that the detector knows best.

At the first look a dog, a wooden wall or a rocket may pass for a face, and a face may be placed badly. Both looks
count alike: a candidate is a face when the mean of their scores is high enough.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model_zoo.faces.alignment import moved, square_to_source
from model_zoo.faces.detection import MOST_OVERLAP, Found
from model_zoo.faces.detectors import detector_of
from model_zoo.manifest import ModelSpec
from model_zoo.ops.boxes import nms
from model_zoo.ops.image import Affine, Pyramid, warp
from model_zoo.values import Boxes, Model

LEAST_MEAN = 0.55  # of the scores of both looks
SURROUNDINGS = 3.0  # side of what is looked at, in box widths
CENTRAL = 0.125  # of that side: a box further from the middle is another face


def confirmed(model: Model, spec: ModelSpec, pyramids: Sequence[Pyramid], candidates: Sequence[Found]) -> list[Found]:
    """Return the candidates of each frame that pass, placed anew, with the mean score, best first."""
    wanted = spec.sees()
    side = wanted.width
    places = [[_levelled(*one, side) for one in zip(seen.boxes, seen.keypoints, strict=True)] for seen in candidates]
    cuts = [
        warp(pyramid, to_source, side, side)
        for pyramid, several in zip(pyramids, places, strict=True)
        for to_source in several
    ]
    if not cuts:
        return list(candidates)
    answers = detector_of(spec).read(model.run({wanted.name: np.stack(cuts)}), spec)
    scores, boxes, keypoints = answers.scores, answers.boxes, answers.keypoints
    far = np.abs(boxes[:, :, :2] + boxes[:, :, 2:] - side).max(axis=2) > 2 * CENTRAL * side  # (M, A)
    scores = np.where(far, 0, scores)
    best = scores.argmax(axis=1)  # (M,)
    rows = np.arange(len(best))
    scores, boxes, keypoints = scores[rows, best], boxes[rows, best], keypoints[rows, best]
    found, start = [], 0
    for seen, several in zip(candidates, places, strict=True):
        part = slice(start, start + len(several))
        found.append(_placed(seen, scores[part], boxes[part], keypoints[part], several))
        start += len(several)
    return found


def roll_of(keypoints: NDArray[np.floating]) -> float:
    """Return how far the line through the eyes is turned clockwise, in radians."""
    across, down = keypoints[1] - keypoints[0]
    return float(np.arctan2(down, across))


def _levelled(box: NDArray[np.float32], keypoints: NDArray[np.float32], side: int) -> Affine:
    centre = (box[:2] + box[2:]).astype(np.float64) / 2 - 0.5
    return square_to_source(centre, float(box[2] - box[0]) * SURROUNDINGS, roll_of(keypoints), side)


def _placed(
    seen: Found,
    scores: NDArray[np.float32],
    boxes: Boxes,
    keypoints: NDArray[np.float32],
    places: Sequence[Affine],
) -> Found:
    """Bring what was found at the second look of one frame back into the frame; drop what is none or found twice."""
    means = (seen.scores + scores) / 2
    upright = [_box(*one) for one in zip(boxes, places, strict=True)]
    points = [moved(place, one - 0.5) + 0.5 for one, place in zip(keypoints, places, strict=True)]
    faces = Found(
        np.array(upright, np.float32).reshape(-1, 4),
        means.astype(np.float32),
        np.array(points, np.float32).reshape(-1, *keypoints.shape[1:]),
    )
    sure = np.flatnonzero(means >= LEAST_MEAN)
    kept = sure[nms(faces.boxes[sure], faces.scores[sure], MOST_OVERLAP)]
    return Found(faces.boxes[kept], faces.scores[kept], faces.keypoints[kept])


def _box(box: NDArray[np.float32], place: Affine) -> NDArray[np.float64]:
    """Return a box of the levelled square as an upright box of the same size in the frame."""
    centre = moved(place, (box[:2] + box[2:]) / 2 - 0.5) + 0.5
    half = (box[2:] - box[:2]) / 2 * np.hypot(place[0, 0], place[1, 0])
    return np.concatenate([centre - half, centre + half])
