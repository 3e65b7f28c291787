"""Where the pixels of a source frame land in a view, and how boxes travel back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model_zoo.values import Boxes, View


@dataclass(frozen=True, slots=True)
class Placement:
    """How an upright, square-pixel source frame is scaled, cropped and laid into a view.

    The whole source is scaled to `scaled_width` x `scaled_height`; of that, the `width` x `height` pixels from
    (`crop_left`, `crop_top`) are laid at (`left`, `top`) of the view; the rest of the view is padding.
    """

    source_width: int
    source_height: int
    scaled_width: int
    scaled_height: int
    crop_left: int
    crop_top: int
    width: int
    height: int
    left: int
    top: int

    @property
    def scale_x(self) -> float:
        """View pixels per source pixel, across."""
        return self.scaled_width / self.source_width

    @property
    def scale_y(self) -> float:
        """View pixels per source pixel, down."""
        return self.scaled_height / self.source_height

    def to_source(self, boxes: Boxes) -> Boxes:
        """Map boxes (M, 4) from pixels of the view to pixels of the source, clipped to the source."""
        offset = np.array([self.crop_left - self.left, self.crop_top - self.top] * 2, dtype=np.float64)
        scale = np.array([self.scale_x, self.scale_y] * 2)
        most = np.array([self.source_width, self.source_height] * 2, dtype=np.float64)
        source = (np.asarray(boxes, dtype=np.float64).reshape(-1, 4) + offset) / scale
        clipped: Boxes = np.clip(source, 0.0, most).astype(np.float32)
        return clipped

    def to_view(self, boxes: Boxes) -> Boxes:
        """Map boxes (M, 4) from pixels of the source to pixels of the view; may reach outside of it."""
        offset = np.array([self.crop_left - self.left, self.crop_top - self.top] * 2, dtype=np.float64)
        scale = np.array([self.scale_x, self.scale_y] * 2)
        in_view: Boxes = (np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * scale - offset).astype(np.float32)
        return in_view


def place(view: View, source_width: int, source_height: int) -> Placement:
    """Say how a source of this size is laid into the view.

    `stretch` and `cover` fill the view; `letterbox` keeps the whole crop visible and pads right and below
    (`anchor="top_left"`) or on both sides. Crops are always central.
    """
    if source_width < 1 or source_height < 1:
        raise ValueError(f"source of {source_width}x{source_height} pixels: both sides must be at least 1")
    scale_x, scale_y = view.width / source_width, view.height / source_height
    if view.fit == "letterbox":
        scale_x = scale_y = min(scale_x, scale_y)
    elif view.fit == "cover":
        scale_x = scale_y = max(scale_x, scale_y)
    width = _visible(source_width * scale_x, view.width)
    height = _visible(source_height * scale_y, view.height)
    scaled_width = max(width, round(source_width * scale_x / view.crop_share))
    scaled_height = max(height, round(source_height * scale_y / view.crop_share))
    centred = view.anchor == "centre"
    return Placement(
        source_width=source_width,
        source_height=source_height,
        scaled_width=scaled_width,
        scaled_height=scaled_height,
        crop_left=(scaled_width - width) // 2,
        crop_top=(scaled_height - height) // 2,
        width=width,
        height=height,
        left=(view.width - width) // 2 if centred else 0,
        top=(view.height - height) // 2 if centred else 0,
    )


def _visible(fitted: float, side: int) -> int:
    """Return how many whole pixels of a side of the view are filled."""
    return min(side, max(1, round(fitted)))
