"""Frames for unit tests: drawn ones, and those of real files read plainly with PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from model_zoo.values import Frames, Pixels, View

BATCH = 32


def drawn(pixels: Pixels, frame_rate: float = 25.0) -> Frames:
    """Return (N, H, W, 3) as a batch of frames."""
    height, width = pixels.shape[1:3]
    return Frames(pixels, np.arange(len(pixels)) / frame_rate, View(width, height), width, height)


def stretched(path: Path, view: View) -> Iterator[Frames]:
    """Yield every frame of a file, stretched to a view."""
    with av.open(path) as container:
        pictures, seconds = [], []
        for frame in container.decode(video=0):
            small = frame.reformat(view.width, view.height, format="rgb24", interpolation="AREA")
            pictures.append(small.to_ndarray())
            seconds.append(float(frame.time or 0.0))
            width, height = frame.width, frame.height
    for start in range(0, len(pictures), BATCH):
        rows = slice(start, start + BATCH)
        yield Frames(np.stack(pictures[rows]), np.array(seconds[rows]), view, width, height)
