"""The one input contract of image models, checked where a batch enters a backend."""

from __future__ import annotations

import numpy as np

from model_zoo.errors import BackendError
from model_zoo.manifest import ModelSpec
from model_zoo.values import Pixels, Tensors

ANY = "any"  # length of a side that the spec gives as 0


def checked_pixels(spec: ModelSpec, tensors: Tensors) -> Pixels:
    """Return the one input, uint8 RGB (N, H, W, 3) of the spec's size; raises BackendError for anything else."""
    wanted = spec.input
    if set(tensors) != {wanted.name}:
        raise BackendError(f"{spec.name}: takes the input {wanted.name!r}, got {sorted(tensors)}")
    pixels = tensors[wanted.name]
    shape = (wanted.height or ANY, wanted.width or ANY, 3)
    if pixels.dtype != np.uint8 or not _fits(pixels.shape[1:], shape):
        raise BackendError(
            f"{spec.name}: takes uint8 (N, {shape[0]}, {shape[1]}, 3), got {pixels.dtype} {pixels.shape}"
        )
    return pixels


def _fits(sides: tuple[int, ...], wanted: tuple[int | str, ...]) -> bool:
    return len(sides) == len(wanted) and all(
        side == length or (length == ANY and side > 0) for side, length in zip(sides, wanted, strict=True)
    )
