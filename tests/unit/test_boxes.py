"""Boxes of one frame: overlap and suppression."""

from __future__ import annotations

import numpy as np
import pytest

from model_zoo.ops.boxes import as_boxes, box_shares, from_centres, nms, nms_by_class, overlaps
from model_zoo.values import Boxes


def boxes(*corners: tuple[float, float, float, float]) -> Boxes:
    return np.array(corners, np.float32).reshape(-1, 4)


def test_overlap_is_intersection_over_union() -> None:
    found = overlaps(boxes((0, 0, 10, 10)), boxes((0, 0, 10, 10), (5, 0, 15, 10), (20, 20, 30, 30)))
    assert found[0].tolist() == pytest.approx([1, 1 / 3, 0])


def test_boxes_without_area_overlap_nothing() -> None:
    assert overlaps(boxes((3, 3, 3, 3)), boxes((3, 3, 3, 3))).tolist() == [[0]]


def test_no_boxes_overlap_nothing() -> None:
    assert overlaps(boxes(), boxes((0, 0, 1, 1))).shape == (0, 1)
    assert nms(boxes(), np.empty(0, np.float32), 0.5).tolist() == []


def test_the_best_of_a_heap_is_kept_best_first() -> None:
    heap = boxes((50, 50, 60, 60), (0, 0, 10, 10), (1, 0, 11, 10))
    assert nms(heap, np.array([0.5, 0.8, 0.9], np.float32), 0.5).tolist() == [2, 0]


def test_equal_scores_keep_the_first() -> None:
    heap = boxes((0, 0, 10, 10), (0, 0, 10, 10))
    assert nms(heap, np.array([0.5, 0.5], np.float32), 0.5).tolist() == [0]


def test_classes_do_not_push_each_other_out() -> None:
    heap = boxes((0, 0, 10, 10), (0, 0, 10, 10), (0, 0, 10, 9))
    scores = np.array([0.9, 0.8, 0.7], np.float32)
    assert nms_by_class(heap, scores, np.array([0, 1, 0]), 0.5).tolist() == [0, 1]


def test_suppression_equals_the_plain_definition() -> None:
    random = np.random.default_rng(7)
    corners = random.uniform(0, 80, (120, 2)).astype(np.float32)
    heap = np.concatenate([corners, corners + random.uniform(5, 40, (120, 2)).astype(np.float32)], axis=1)
    scores = random.uniform(0, 1, 120).astype(np.float32)
    kept: list[int] = []
    for index in np.argsort(-scores).tolist():
        if all(overlaps(heap[[index]], heap[[other]])[0, 0] <= 0.4 for other in kept):
            kept.append(index)
    assert nms(heap, scores, 0.4).tolist() == kept


def test_centres_become_corners() -> None:
    assert from_centres(boxes((10, 20, 4, 6))).tolist() == [[8, 17, 12, 23]]


def test_shares_are_of_the_frame() -> None:
    (box,) = as_boxes(boxes((64, 36, 128, 72)), np.array([0.5], np.float32), ["dog"])
    assert box_shares(box, 640, 360).model_dump() == {"x1": 0.1, "y1": 0.1, "x2": 0.2, "y2": 0.2}
