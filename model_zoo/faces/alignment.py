"""From a found face to the picture that the embedding network was trained on: eyes level, five points, a square chip.

The points are found by dlib's regression trees (Kazemi and Sullivan, One Millisecond Face Alignment with an Ensemble
of Regression Trees, 2014), whose tables lie beside this file. Whole numbers are the centres of pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_zoo.ops.image import Affine, Picture, Pyramid, warp

TABLES = Path(__file__).parent / "weights" / "shape5.npz"
CROP_SIDE = 192  # pixels of the levelled crop in which the points are looked for
CROP_SHARE = 0.5  # of its sides that the face fills
CHIP_SIDE = 150
CHIP_PADDING = 0.25  # around the face, in face sides
# where the points of a mean face lie in a face of side 1, as the network was trained: outer and inner corner of the
# eye at picture right, the same at picture left, base of the nose
MEAN_FACE = np.array(
    [[0.85957, 0.21350], [0.64606, 0.22897], [0.12058, 0.21373], [0.33409, 0.22906], [0.49011, 0.62780]]
)


@dataclass(frozen=True, slots=True)
class TrainingSquare:
    """The square that the trees expect around a face, measured from a detector's box, in widths of the box."""

    right: float
    down: float
    side: float


Tables = Mapping[str, NDArray[Any]]
Point = NDArray[np.float64]  # (2,) x, y
Landmarks = NDArray[np.float64]  # (N, 5, 2) x, y


@cache
def tables() -> Tables:
    """Read the regression trees: cascades of T trees that compare the grey values of two of A places."""
    with np.load(TABLES, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def square_to_source(centre: Point, side: float, roll: float, pixels: int) -> Affine:
    """Map a square cut of `pixels` a side to the picture: `side` wide there, around `centre`, turned by `roll`."""
    step = side / pixels
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]]) * step
    middle = (pixels - 1) / 2
    return np.column_stack([turn, centre - turn @ np.array([middle, middle])])


def moved(to_source: Affine, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Map points (..., 2) by a 2 x 3 matrix."""
    there: NDArray[np.float64] = points @ to_source[:, :2].T + to_source[:, 2]
    return there


def landmarks(
    pyramid: Pyramid, centre: Point, width: float, roll: float, square: TrainingSquare
) -> NDArray[np.float64]:
    """Place the five points (5, 2) of the face in a detector's box of this centre and width, turned by `roll`."""
    shift = square_to_source(centre, width, roll, 1)[:, :2] @ np.array([square.right, square.down])
    to_source = square_to_source(centre + shift, width * square.side / CROP_SHARE, roll, CROP_SIDE)
    crop = warp(pyramid, to_source, CROP_SIDE, CROP_SIDE)
    return moved(to_source, place_points(crop, tables()))


def place_points(crop: Picture, trees: Tables) -> NDArray[np.float64]:
    """Place the five points (5, 2) in a crop (S, S, 3) whose central half is the face."""
    side = crop.shape[0]
    size = side * CROP_SHARE - 1  # dlib counts from the first to the last pixel
    origin = (side - 1 - size) / 2
    grey = crop.astype(np.int32).sum(axis=2) // 3
    start = trees["start"].astype(np.float32)
    points = start
    each = np.arange(trees["first"].shape[1])
    for cascade, anchor in enumerate(trees["anchor"]):
        turn = similarity(start, points)[:, :2].astype(np.float32)
        place = (trees["offset"][cascade] @ turn.T + points[anchor]) * size + origin
        column, row = np.floor(place + 0.5).astype(np.intp).T
        inside = (column >= 0) & (column < side) & (row >= 0) & (row < side)
        values = np.where(inside, grey[row.clip(0, side - 1), column.clip(0, side - 1)], 0)
        leaf = trees["leaf"][cascade]
        branch = np.zeros_like(each)
        for _ in range(leaf.shape[1].bit_length() - 1):
            first, second = (values[trees[name][cascade][each, branch]] for name in ("first", "second"))
            branch = 2 * branch + 1 + (first - second <= trees["threshold"][cascade][each, branch])
        moves = leaf[each, branch - trees["first"].shape[2]]  # (T, 10)
        points = points + moves.sum(axis=0, dtype=np.float32).reshape(-1, 2)
    placed: NDArray[np.float64] = points.astype(np.float64) * size + origin
    return placed


def similarity(points: NDArray[np.floating], others: NDArray[np.floating]) -> Affine:
    """Return the turn, scale and shift (2, 3) that brings points (P, 2) nearest to others (least squares)."""
    middle, other_middle = points.mean(axis=0), others.mean(axis=0)
    source, target = points - middle, others - other_middle
    total = float((source**2).sum())
    along = float((source * target).sum()) / total
    across = float((source[:, 0] * target[:, 1] - source[:, 1] * target[:, 0]).sum()) / total
    turn = np.array([[along, -across], [across, along]])
    return np.column_stack([turn, other_middle - turn @ middle])


def chip(pyramid: Pyramid, points: NDArray[np.float64]) -> Picture:
    """Cut out the upright chip (150, 150, 3) of a face with these five points (5, 2)."""
    target = (MEAN_FACE + CHIP_PADDING) / (1 + 2 * CHIP_PADDING) * CHIP_SIDE
    return cut(pyramid, points, target, CHIP_SIDE)


def cut(pyramid: Pyramid, points: NDArray[np.float64], target: NDArray[np.float64], side: int) -> Picture:
    """Cut out a square (S, S, 3) in which points (P, 2) come nearest to where they are wanted."""
    onto_chip = similarity(points, target)
    back = np.linalg.inv(onto_chip[:, :2])
    return warp(pyramid, np.column_stack([back, -back @ onto_chip[:, 2]]), side, side)
