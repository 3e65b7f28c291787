"""Do two detectors' boxes agree? Pairs of the same label, matched best overlap first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from model_zoo.ops.boxes import overlaps as box_overlaps
from model_zoo.values import Prediction

SURE = 0.35  # below this, a box may fall on either side of the detectors' own threshold by a hair


def agreement(theirs: Sequence[Sequence[Mapping[str, Any]]], ours: Sequence[Prediction]) -> dict[str, float]:
    """Return how many sure boxes of either side have a twin, and how far twins are apart.

    `theirs` is nudenet's own answer per frame: class, score and box as x, y, width, height in pixels.
    """
    sure = twins = 0
    overlaps, moves = [], []
    for boxes, prediction in zip(theirs, ours, strict=True):
        left = [(b["class"], b["score"], _corners(b["box"])) for b in boxes]
        right = [(b.label, b.confidence, (b.x1, b.y1, b.x2, b.y2)) for b in prediction.boxes]
        for one, other in ((left, right), (right, left)):
            for label, score, box in one:
                if score < SURE:
                    continue
                sure += 1
                pairs = [(float(box_overlaps(_row(box), _row(b))[0, 0]), s) for name, s, b in other if name == label]
                overlap, their_score = max(pairs, default=(0.0, 0.0))
                if overlap >= 0.5:
                    twins += 1
                    overlaps.append(overlap)
                    moves.append(abs(score - their_score))
    return {
        "sure_boxes": sure,
        "with_a_twin": twins,
        "mean_overlap": round(float(np.mean(overlaps)), 3) if overlaps else 0.0,
        "mean_score_difference": round(float(np.mean(moves)), 4) if moves else 0.0,
    }


def _corners(box: Sequence[float]) -> tuple[float, float, float, float]:
    x, y, width, height = box
    return x, y, x + width, y + height


def _row(box: Sequence[float]) -> np.ndarray:
    return np.array([box], np.float32)
