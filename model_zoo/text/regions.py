"""Where text is: from the detector's probability map to boxes (Liao et al., Differentiable Binarization, 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_zoo.values import Boxes, Indices

LEAST_PROBABILITY = 0.3  # of a pixel to belong to text
LEAST_MEAN = 0.6  # probability over the pixels of one region
LEAST_SIDE = 3  # pixels of the map; anything thinner is a scratch
UNCLIP_RATIO = 1.6  # the network marks text shrunken; its edge lies area * ratio / circumference further out


@dataclass(frozen=True, slots=True)
class Regions:
    """Connected regions of a map: bounding boxes in its pixels, numbers of pixels and their mean values."""

    boxes: Boxes  # (M, 4)
    pixels: NDArray[np.int64]  # (M,)
    means: NDArray[np.float64]  # (M,)


def text_boxes(probability: NDArray[np.float32]) -> Boxes:
    """Return the boxes (M, 4) of lines of text in a probability map (H, W), in its pixels, from top to bottom."""
    regions = connected(probability, LEAST_PROBABILITY)
    sides = regions.boxes[:, 2:] - regions.boxes[:, :2]  # (M, 2)
    kept = (sides.min(axis=1) >= LEAST_SIDE) & (regions.means >= LEAST_MEAN)
    out = regions.pixels[kept] * UNCLIP_RATIO / (2 * sides[kept].sum(axis=1))  # (M,)
    grown = regions.boxes[kept] + out[:, None] * np.array([-1, -1, 1, 1])
    height, width = probability.shape
    boxes: Boxes = np.clip(grown, 0, [width, height, width, height]).astype(np.float32)
    return boxes[np.lexsort((boxes[:, 0], boxes[:, 1]))]


def connected(values: NDArray[np.float32], least: float) -> Regions:
    """Find what hangs together, also over corners, where `values` (H, W) are at least `least`."""
    height, width = values.shape
    stride = width + 2  # with a gap on each side, runs of neighbouring rows never meet at the edge
    marked = np.zeros((height, stride), np.int8)
    marked[:, 1:-1] = values >= least
    edges = np.diff(marked.ravel(), prepend=np.int8(0), append=np.int8(0))
    first, end = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)  # (R,) runs of marked pixels, row by row
    labels = _joined(first, end, stride)  # (R,)
    sums = np.concatenate([[0.0], np.cumsum(np.pad(values, ((0, 0), (1, 1))), dtype=np.float64)])
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))  # (M,)
    if not len(starts):
        return Regions(np.empty((0, 4), np.float32), np.empty(0, np.int64), np.empty(0))
    first, end = first[order], end[order]
    pixels = np.add.reduceat(end - first, starts)
    boxes = np.stack(
        [
            np.minimum.reduceat(first % stride, starts) - 1,
            np.minimum.reduceat(first // stride, starts),
            np.maximum.reduceat(end % stride, starts) - 1,
            np.maximum.reduceat(first // stride, starts) + 1,
        ],
        axis=1,
    ).astype(np.float32)  # (M, 4)
    return Regions(boxes, pixels, np.add.reduceat(sums[end] - sums[first], starts) / pixels)


def _joined(first: Indices, end: Indices, stride: int) -> Indices:
    """Label runs (R,) so that those touching in neighbouring rows, also over a corner, have the same label."""
    low = np.searchsorted(end, first + stride, side="left")  # (R,) the runs below that each touches: low <= run < high
    high = np.searchsorted(first, end + stride, side="right")
    counts = np.maximum(high - low, 0)
    upper = np.repeat(np.arange(len(first)), counts)  # (P,) pairs of touching runs
    lower = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)
    labels = np.arange(len(first))
    while True:
        before = labels.copy()
        least = np.minimum(labels[upper], labels[lower])
        np.minimum.at(labels, labels[upper], least)  # the roots of both learn the lesser one
        np.minimum.at(labels, labels[lower], least)
        labels = labels[labels[labels]]
        if np.array_equal(labels, before):
            return labels
