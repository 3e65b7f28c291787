"""The one input contract of image models, checked where a batch enters a backend."""

from __future__ import annotations

import numpy as np

from model_zoo.errors import BackendError
from model_zoo.manifest import ModelSpec
from model_zoo.values import Pixels, Tensors


def checked_pixels(spec: ModelSpec, tensors: Tensors) -> Pixels:
    """Return the one input, uint8 RGB (N, H, W, 3) of the spec's size; raises BackendError for anything else."""
    wanted = spec.input
    if set(tensors) != {wanted.name}:
        raise BackendError(f"{spec.name}: takes the input {wanted.name!r}, got {sorted(tensors)}")
    pixels = tensors[wanted.name]
    shape = (wanted.height, wanted.width, 3)
    if pixels.dtype != np.uint8 or pixels.shape[1:] != shape:
        raise BackendError(
            f"{spec.name}: takes uint8 (N, {shape[0]}, {shape[1]}, 3), got {pixels.dtype} {pixels.shape}"
        )
    return pixels
