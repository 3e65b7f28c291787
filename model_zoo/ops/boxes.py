"""Boxes of one frame: overlap, and the best of every heap. Boxes are float32 (M, 4) x1, y1, x2, y2."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model_zoo.report import BoxFacts
from model_zoo.values import Box, Boxes, Indices, Scores


def areas(boxes: Boxes) -> NDArray[np.float32]:
    """Return the area of each box (M,)."""
    area: NDArray[np.float32] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return area


def overlaps(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """Return intersection over union of every pair: (M, 4), (K, 4) -> (M, K); 0 for boxes without area."""
    wide = np.minimum.outer(boxes[:, 2], others[:, 2]) - np.maximum.outer(boxes[:, 0], others[:, 0])  # (M, K)
    high = np.minimum.outer(boxes[:, 3], others[:, 3]) - np.maximum.outer(boxes[:, 1], others[:, 1])
    common = np.maximum(wide, 0) * np.maximum(high, 0)
    union = areas(boxes)[:, None] + areas(others)[None, :] - common
    shares: NDArray[np.float32] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return shares


def from_centres(boxes: Boxes) -> Boxes:
    """Turn centre x, centre y, width, height into x1, y1, x2, y2: (M, 4) -> (M, 4)."""
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def nms(boxes: Boxes, scores: Scores, most_overlap: float) -> Indices:
    """Keep the best of every group overlapping by more than `most_overlap` (IoU), best first."""
    return nms_by_class(boxes, scores, np.zeros(len(boxes), np.intp), most_overlap)


def nms_by_class(boxes: Boxes, scores: Scores, classes: Indices, most_overlap: float) -> Indices:
    """Do as `nms`, but only boxes of the same class (M,) push each other out. Takes memory in the square of M."""
    order = np.argsort(-scores, kind="stable")  # (M,)
    boxes, classes = boxes[order], classes[order]
    covers = (overlaps(boxes, boxes) > most_overlap) & np.equal.outer(classes, classes)  # (M, M)
    left = np.ones(len(order), np.bool_)
    kept = []
    for best in range(len(order)):
        if left[best]:
            kept.append(best)
            left &= ~covers[best]
    return order[kept]


def as_boxes(boxes: Boxes, scores: Scores, names: list[str]) -> tuple[Box, ...]:
    """Return arrays (M, 4), (M,) and M names as values."""
    rows = zip(names, scores.tolist(), boxes.tolist(), strict=True)
    return tuple(Box(name, score, *corners) for name, score, corners in rows)


def box_shares(box: Box, width: int, height: int) -> BoxFacts:
    """Return a box as shares of the frame's sides, 4 decimals."""
    return BoxFacts(
        x1=round(box.x1 / width, 4),
        y1=round(box.y1 / height, 4),
        x2=round(box.x2 / width, 4),
        y2=round(box.y2 / height, 4),
    )
