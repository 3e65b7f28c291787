"""Find faces in a frame: the detector sees the whole of it and overlapping squares, so that small faces are found.

The detector's input is small, and a face must fill some eighteen of its pixels. A frame is therefore also shown in
squares of two sizes; a square overlaps its neighbours by the largest face that the next coarser size misses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_zoo.faces.detectors import Candidates, detector_of
from model_zoo.manifest import ModelSpec
from model_zoo.ops.boxes import areas, as_boxes, overlaps
from model_zoo.ops.image import Pyramid, warp
from model_zoo.values import Boxes, Frames, Model, Prediction, Scores, Tensors

Points = NDArray[np.float32]  # (M, P, 2) x, y

LABEL = "face"
LEAST_SCORE = 0.35  # of a candidate, which is looked at again
MOST_OVERLAP = 0.3  # IoU
MOST_INSIDE = 0.7  # share of a box inside of a better one
LEAST_FACE = 18  # pixels of the detector's input
SMALLEST_FACE_PIXELS = 24  # of the source
FINEST = 1.0  # the detector's input pixels per pixel of the view, at most: finer squares cost more than they find
LEAST_MARGIN = 0.05  # a box over the edge of its square by more of its side is a cut face
SLACK = 0.1  # of a square: for so little left over, squares overlap a little less, and there is none more
MIDDLE_ABOVE = 3.0  # how much larger the whole frame must be than the smallest squares for a size between


@dataclass(frozen=True, slots=True)
class Square:
    """A square of a frame that is shown to the detector."""

    x: float
    y: float
    side: float


@dataclass(frozen=True, slots=True)
class Found:
    """Faces of one frame, best first, in pixels of the picture they were looked for in."""

    boxes: Boxes  # (M, 4)
    scores: Scores  # (M,)
    keypoints: Points  # (M, 6, 2) as of `detectors.Candidates`


def squares(width: int, height: int, input_side: int, pixels_per_source_pixel: float) -> list[Square]:
    """Return the squares of a picture that shows its source at this scale: the whole, then smaller and smaller."""
    longer = max(width, height)
    smallest = SMALLEST_FACE_PIXELS * pixels_per_source_pixel
    fine = max(input_side * smallest / LEAST_FACE, input_side / FINEST)
    sides = [fine]
    if longer / fine > MIDDLE_ABOVE:
        sides.insert(0, (longer * fine) ** 0.5)
    found = [Square((width - longer) / 2, (height - longer) / 2, longer)]
    for side in sides:
        if side < 0.8 * longer:
            overlap = LEAST_FACE / input_side * (longer if side is sides[0] else sides[0])
            found += _cover(width, height, side, overlap)
    return found


def _cover(width: int, height: int, side: float, overlap: float) -> Iterator[Square]:
    for y in _starts(height, side, overlap):
        for x in _starts(width, side, overlap):
            yield Square(x, y, side)


def _starts(length: int, side: float, overlap: float) -> list[float]:
    count = int(np.ceil((length - overlap) / (side - overlap) - SLACK))
    if count <= 1:
        return [(length - side) / 2]
    return [float(start) for start in np.linspace(0, length - side, count)]


def detect(
    model: Model, spec: ModelSpec, pyramids: Sequence[Pyramid], size: tuple[int, int], scale: float
) -> list[Found]:
    """Find the faces of frames of one size (width, height); `scale` is their pixels per source pixel."""
    wanted = spec.sees()
    places = squares(*size, wanted.width, scale)
    inputs = [_shown(pyramid, square, wanted.width) for pyramid in pyramids for square in places]
    candidates = detector_of(spec).read(model.run({wanted.name: np.stack(inputs)}), spec)
    count = len(places)
    return [
        _united(candidates, wanted.width, range(frame * count, (frame + 1) * count), places, size)
        for frame in range(len(pyramids))
    ]


def faces_of_inputs(outputs: Tensors, spec: ModelSpec, frames: Frames) -> list[Prediction]:
    """Return what a detector says of frames laid into its input, in its pixels: what precisions are compared by."""
    told = detector_of(spec).read(outputs, spec)
    rows = []
    for number, seconds in enumerate(frames.seconds.tolist()):
        sure = np.flatnonzero(told.scores[number] >= LEAST_SCORE)
        found = _best(told.boxes[number, sure], told.scores[number, sure], told.keypoints[number, sure])
        rows.append(Prediction(seconds, boxes=as_boxes(found.boxes, found.scores, [LABEL] * len(found.boxes))))
    return rows


def _shown(pyramid: Pyramid, square: Square, side: int) -> NDArray[np.uint8]:
    step = square.side / side
    shift = 0.5 * step - 0.5
    return warp(pyramid, np.array([[step, 0, square.x + shift], [0, step, square.y + shift]]), side, side)


def _united(candidates: Candidates, side: int, rows: range, places: Sequence[Square], size: tuple[int, int]) -> Found:
    """Bring what was found in all squares of one frame together; `side` is that of the detector's input."""
    scores, boxes, keypoints = [], [], []
    for row, square in zip(rows, places, strict=True):
        sure = np.flatnonzero(candidates.scores[row] >= LEAST_SCORE)
        step, corner = square.side / side, np.array([square.x, square.y], np.float32)
        found = candidates.boxes[row, sure] * step + np.tile(corner, 2)  # (M, 4)
        whole = ~_cut(found, square, size)
        scores.append(candidates.scores[row, sure][whole])
        boxes.append(found[whole])
        keypoints.append((candidates.keypoints[row, sure] * step + corner)[whole])
    return _best(np.concatenate(boxes), np.concatenate(scores), np.concatenate(keypoints))


def _cut(boxes: Boxes, square: Square, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Tell which boxes hang over an edge of their square that is no edge of the frame."""
    margin = LEAST_MARGIN * (boxes[:, 2:] - boxes[:, :2])  # (M, 2)
    low = np.array([square.x, square.y])
    over_low = (boxes[:, :2] < low - margin) & (low > 0)
    over_high = (boxes[:, 2:] > low + square.side + margin) & (low + square.side < np.array(size))
    cut: NDArray[np.bool_] = (over_low | over_high).any(axis=1)
    return cut


def _best(boxes: Boxes, scores: Scores, keypoints: Points) -> Found:
    """Unite boxes of the same face: their mean, weighted with the scores, as the network's authors do."""
    order = np.argsort(-scores, kind="stable")
    boxes, scores, keypoints = boxes[order], scores[order], keypoints[order]
    same = overlaps(boxes, boxes)
    heaps = same > MOST_OVERLAP  # (M, M)
    heaps |= _inside(boxes) > MOST_INSIDE
    left = np.ones(len(order), np.bool_)
    kept, placed, pointed = [], [], []
    for best in range(len(order)):
        if left[best]:
            heap = np.flatnonzero(left & (same[best] > MOST_OVERLAP))
            weights = scores[heap] / scores[heap].sum()
            kept.append(best)
            placed.append((boxes[heap] * weights[:, None]).sum(axis=0))
            pointed.append((keypoints[heap] * weights[:, None, None]).sum(axis=0))
            left &= ~heaps[best]
            left[best] = False
    if not kept:
        return Found(boxes, scores, keypoints)
    return Found(np.stack(placed), scores[kept], np.stack(pointed))


def _inside(boxes: Boxes) -> NDArray[np.float32]:
    """Return which share of the smaller of two boxes lies in the other: (M, 4) -> (M, M)."""
    wide = np.minimum.outer(boxes[:, 2], boxes[:, 2]) - np.maximum.outer(boxes[:, 0], boxes[:, 0])
    high = np.minimum.outer(boxes[:, 3], boxes[:, 3]) - np.maximum.outer(boxes[:, 1], boxes[:, 1])
    smaller = np.minimum.outer(areas(boxes), areas(boxes))
    shares: NDArray[np.float32] = np.maximum(wide, 0) * np.maximum(high, 0) / np.maximum(smaller, 1e-6)
    return shares
