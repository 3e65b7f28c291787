"""Convert as many heavy operators as a network bears: those that add most noise are left out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from export.precisions import feeder
from model_zoo.values import Tensor, Tensors

RANKING_ROWS = 8  # on which one operator at a time is tried

Convert = Callable[[Collection[str]], onnx.ModelProto]  # all heavy operators but those of these names


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a model may move, and what measures it."""

    moved: Callable[[onnx.ModelProto], float]
    allowed: float


def fewest_left_out(
    names: Sequence[str], convert: Convert, noise: Callable[[str], float], bounds: Bounds
) -> onnx.ModelProto:
    """Return the conversion that leaves out as few operators as keep the model within its bounds.

    Where not all can be converted, they are sorted by the `noise` that each alone adds, and how many of the worst must
    stay is found by halving. Where leaving out does not help, all are converted: then that is what moves too far.
    """
    whole = convert(())
    if bounds.moved(whole) <= bounds.allowed:
        return whole
    worst = sorted(names, key=noise, reverse=True)
    found, too_few, enough = whole, 0, len(worst)
    while enough - too_few > 1:
        left_out = (too_few + enough) // 2
        tried = convert(worst[:left_out])
        if bounds.moved(tried) <= bounds.allowed:
            found, enough = tried, left_out
        else:
            too_few = left_out
    return found


def noise_of(model: onnx.ModelProto, fed: Tensors, alone: Callable[[str], onnx.ModelProto]) -> Callable[[str], float]:
    """Return what measures the noise that an operator adds to the outputs when it `alone` is converted."""
    few = {name: rows[:RANKING_ROWS] for name, rows in fed.items()}
    wanted = feeder(model)(few)

    def noise(name: str) -> float:
        got = feeder(alone(name))(few)
        return sum(_share(wanted[key], got[key]) for key in wanted)

    return noise


def _share(wanted: Tensor, got: Tensor) -> float:
    """Return the power of the difference as a share of the signal's; what is no number counts most."""
    signal = wanted.astype(np.float64)
    share = float(np.square(signal - got).sum() / max(np.square(signal).sum(), 1e-12))
    return share if np.isfinite(share) else float("inf")
