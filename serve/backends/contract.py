"""The one input contract of all models, checked where a batch enters a backend."""

from __future__ import annotations

from typing import Any

import numpy as np

from model_zoo.errors import BackendError
from model_zoo.manifest import ModelSpec
from model_zoo.values import Given, Rows, Tensor, on_host

ANY = "any"  # length of a side that the spec leaves open


def checked_rows(spec: ModelSpec, tensors: Given) -> Tensor:
    """Return the one input as an array, wherever it lies; raises BackendError as `given_rows` does."""
    return on_host(given_rows(spec, tensors))


def given_rows(spec: ModelSpec, tensors: Given) -> Rows:
    """Return the one input: uint8 RGB (N, H, W, 3), mono float32 sound (N, S) or int64 token ids (N, T).

    Raises BackendError for anything else.
    """
    name, dtype, shape = _contract(spec)
    if set(tensors) != {name}:
        raise BackendError(f"{spec.name}: takes the input {name!r}, got {sorted(tensors)}")
    rows = tensors[name]
    if rows.dtype != dtype or not _fits(rows.shape[1:], shape):
        sides = ", ".join(map(str, shape))
        raise BackendError(f"{spec.name}: takes {dtype.name} (N, {sides}), got {rows.dtype} {rows.shape}")
    return rows


def _contract(spec: ModelSpec) -> tuple[str, np.dtype[Any], tuple[int | str, ...]]:
    """Return the name, the type and the shape of one row."""
    if spec.sound is not None:
        return spec.sound.name, np.dtype(np.float32), (spec.sound.samples,)
    if spec.input is not None:
        return spec.input.name, np.dtype(np.uint8), (spec.input.height or ANY, spec.input.width or ANY, 3)
    if spec.text is not None:
        return spec.text.name, np.dtype(np.int64), (spec.text.most_tokens if spec.text.tokenizer == "words" else ANY,)
    raise BackendError(f"{spec.name}: its manifest says none of `input`, `sound` and `text`; see docs/models.md")


def _fits(sides: tuple[int, ...], wanted: tuple[int | str, ...]) -> bool:
    return len(sides) == len(wanted) and all(
        side == length or (length == ANY and side > 0) for side, length in zip(sides, wanted, strict=True)
    )
