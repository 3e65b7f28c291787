"""Mean average precision of boxes, as COCO defines it (cocodataset.org/#detection-eval, `all` areas, 100 boxes).

Per class and IoU threshold: detections of all pictures, surest first, take the unclaimed true box that they overlap
most; precision, made falling, is averaged at 101 recalls. Boxes in crowds are neither right nor wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_zoo.ops.boxes import areas, overlaps
from model_zoo.values import Boxes

IOU_THRESHOLDS = tuple(np.round(np.arange(0.5, 1.0, 0.05), 2).tolist())  # 0.50 to 0.95
RECALLS = np.linspace(0.0, 1.0, 101)
MOST_DETECTIONS = 100  # of one picture and class


@dataclass(frozen=True, slots=True)
class Truth:
    """A true box of a picture."""

    label: str
    box: tuple[float, float, float, float]  # x1, y1, x2, y2
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A box that was found in a picture."""

    label: str
    confidence: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """What is in a picture, and what was found in it."""

    truths: tuple[Truth, ...]
    found: tuple[Found, ...]


def mean_average_precision(pictures: Sequence[Picture], thresholds: Sequence[float] = IOU_THRESHOLDS) -> float | None:
    """Return the mean over classes and IoU thresholds; None where no picture has a true box."""
    labels = sorted({truth.label for picture in pictures for truth in picture.truths if not truth.crowd})
    precisions = [average_precision(pictures, label, threshold) for label in labels for threshold in thresholds]
    return float(np.mean(precisions)) if precisions else None


def average_precision(pictures: Sequence[Picture], label: str, threshold: float) -> float:
    """Return the 101-point average precision of one class at one IoU threshold."""
    confidences: list[float] = []
    right: list[bool] = []
    for picture in pictures:
        for confidence, verdict in _judged(picture, label, threshold):
            confidences.append(confidence)
            right.append(verdict)
    truths = sum(truth.label == label and not truth.crowd for picture in pictures for truth in picture.truths)
    order = np.argsort(-np.asarray(confidences, np.float64), kind="stable")
    return _interpolated(np.asarray(right, bool)[order], truths)


def _interpolated(right: NDArray[np.bool_], truths: int) -> float:
    """Return the mean precision at 101 recalls, of detections (D,) in order of confidence."""
    if not truths or not len(right):
        return 0.0
    hits = np.cumsum(right)  # (D,)
    recall, precision = hits / truths, hits / np.arange(1, len(right) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, RECALLS, side="left")  # (101,)
    reached = places < len(recall)
    return float(np.where(reached, falling[np.minimum(places, len(recall) - 1)], 0.0).mean())


def _judged(picture: Picture, label: str, threshold: float) -> list[tuple[float, bool]]:
    """Return confidence and verdict of the detections of one class; those that fall to crowds are left out."""
    truths = [truth for truth in picture.truths if truth.label == label and not truth.crowd]
    crowds = [truth for truth in picture.truths if truth.label == label and truth.crowd]
    found = sorted((item for item in picture.found if item.label == label), key=lambda item: -item.confidence)
    shares = overlaps(_boxes([item.box for item in found]), _boxes([truth.box for truth in truths]))  # (D, T)
    in_crowds = _shares_inside(_boxes([item.box for item in found]), _boxes([truth.box for truth in crowds]))
    free = np.ones(len(truths), bool)
    judged = []
    for row, item in enumerate(found[:MOST_DETECTIONS]):
        candidates = np.where(free, shares[row], -1.0)
        best = int(candidates.argmax()) if len(truths) else 0
        if len(truths) and candidates[best] >= threshold:
            free[best] = False
            judged.append((item.confidence, True))
        elif not (in_crowds[row] >= threshold).any():
            judged.append((item.confidence, False))
    return judged


def _shares_inside(boxes: Boxes, crowds: Boxes) -> NDArray[np.float64]:
    """Return which share of each box lies in each crowd: (D, 4), (C, 4) -> (D, C)."""
    wide = np.minimum.outer(boxes[:, 2], crowds[:, 2]) - np.maximum.outer(boxes[:, 0], crowds[:, 0])
    high = np.minimum.outer(boxes[:, 3], crowds[:, 3]) - np.maximum.outer(boxes[:, 1], crowds[:, 1])
    common = (np.maximum(wide, 0) * np.maximum(high, 0)).astype(np.float64)
    own = areas(boxes)[:, None].astype(np.float64)
    shares: NDArray[np.float64] = np.divide(common, own, out=np.zeros_like(common), where=own > 0)
    return shares


def _boxes(rows: Sequence[tuple[float, float, float, float]]) -> Boxes:
    return np.array(rows, np.float32).reshape(-1, 4)
