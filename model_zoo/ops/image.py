"""Pictures cut out of pictures: turned, moved, scaled; NumPy only. Pictures are uint8 RGB (H, W, 3)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (H, W, 3)
Affine = NDArray[np.float64]  # (2, 3); whole numbers are the centres of pixels


class Pyramid:
    """A picture and its halves, made when they are first asked for."""

    def __init__(self, picture: Picture) -> None:
        self._levels = [picture]

    def level(self, wanted: int) -> tuple[int, Picture]:
        """Return a level (0 is the picture itself) that is `wanted` or, where that has no pixels, the smallest."""
        while len(self._levels) <= wanted and min(self._levels[-1].shape[:2]) >= 2:
            self._levels.append(halved(self._levels[-1]))
        found = min(wanted, len(self._levels) - 1)
        return found, self._levels[found]


def halved(picture: Picture) -> Picture:
    """Average every 2 x 2 pixels; an odd last row or column is dropped."""
    height, width = (side // 2 * 2 for side in picture.shape[:2])
    rows = picture[0:height:2, :width].astype(np.uint16) + picture[1:height:2, :width]
    sums = rows[:, 0::2] + rows[:, 1::2]
    half: Picture = ((sums + 2) >> 2).astype(np.uint8)
    return half


def warp(pyramid: Pyramid, to_source: Affine, width: int, height: int) -> Picture:
    """Cut out `height` x `width` pixels; `to_source` maps x, y of the cut to x, y of the picture.

    Bilinear; where the cut is smaller than what it shows, from the level of about its own scale, so that nothing is
    aliased. Outside of the picture it is black.
    """
    scale = math.sqrt(abs(float(np.linalg.det(to_source[:, :2]))))
    level, picture = pyramid.level(max(0, round(math.log2(max(scale, 1e-6)))))
    step = 2.0**-level
    matrix = to_source * step
    matrix[:, 2] += 0.5 * step - 0.5  # the centre of the first small pixel lies between large ones
    across, down = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
    if matrix[0, 1] == 0 and matrix[1, 0] == 0:
        return _sampled_straight(picture, matrix[0, 0] * across + matrix[0, 2], matrix[1, 1] * down + matrix[1, 2])
    x = matrix[0, 0] * across[None, :] + (matrix[0, 1] * down + matrix[0, 2])[:, None]  # (height, width)
    y = matrix[1, 0] * across[None, :] + (matrix[1, 1] * down + matrix[1, 2])[:, None]
    return _sampled(picture, x.astype(np.float32), y.astype(np.float32))


def _sampled_straight(picture: Picture, x: NDArray[np.float64], y: NDArray[np.float64]) -> Picture:
    """Sample at every crossing of columns x (width,) and rows y (height,)."""
    left, right, share_x, inside_x = _neighbours(x, picture.shape[1])
    top, bottom, share_y, inside_y = _neighbours(y, picture.shape[0])
    low, high = int(min(left.min(), right.min())), int(max(left.max(), right.max())) + 1
    strip = picture[:, low:high]
    rows = _between(strip[top], strip[bottom], share_y[:, None, None])  # (height, W, 3)
    cut = _between(rows[:, left - low], rows[:, right - low], share_x[None, :, None])
    cut[~inside_y] = 0
    cut[:, ~inside_x] = 0
    rounded: Picture = (cut + 0.5).astype(np.uint8)
    return rounded


def _sampled(picture: Picture, x: NDArray[np.float32], y: NDArray[np.float32]) -> Picture:
    """Sample at points x, y (height, width)."""
    left, right, share_x, inside_x = _neighbours(x, picture.shape[1])
    top, bottom, share_y, inside_y = _neighbours(y, picture.shape[0])
    share_x, share_y = share_x[..., None], share_y[..., None]
    above = _between(picture[top, left], picture[top, right], share_x)
    below = _between(picture[bottom, left], picture[bottom, right], share_x)
    cut = _between(above, below, share_y)
    cut[~(inside_x & inside_y)] = 0
    rounded: Picture = (cut + 0.5).astype(np.uint8)
    return rounded


def _neighbours(
    places: NDArray[np.floating], size: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32], NDArray[np.bool_]]:
    """Return the whole places before and after each place, the share of the latter, and which lie in the picture."""
    before = np.floor(places)
    share = (places - before).astype(np.float32)
    first = before.astype(np.intp)
    inside = (places > -1) & (places < size)
    return first.clip(0, size - 1), (first + 1).clip(0, size - 1), share, inside


def _between(one: NDArray[np.generic], other: NDArray[np.generic], share: NDArray[np.float32]) -> NDArray[np.float32]:
    first = one.astype(np.float32)
    mixed: NDArray[np.float32] = first + (other.astype(np.float32) - first) * share
    return mixed
