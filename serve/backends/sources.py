"""Choose the file of a model by the wanted precision; another than fp32 needs the proof that its export wrote."""

from __future__ import annotations

from pathlib import Path

from model_zoo.errors import WeightsError
from model_zoo.manifest import ModelSpec
from model_zoo.precisions import Precision, exported
from serve.backends.place import Source, Wishes


def source_of(spec: ModelSpec, weights: Path, wishes: Wishes, *, on_gpu: bool) -> Source:
    """Return the wanted precision, or fp32 and why it is not the wanted one.

    `auto` takes fp16 on a GPU where it was exported; on a CPU it gains nothing.
    """
    precision: Precision = _usual(on_gpu=on_gpu) if wishes.precision == "auto" else wishes.precision
    path, reason = weights, ""
    if precision != "fp32":
        try:
            variant = exported(spec, precision, weights, wishes.places)
            path, reason = variant.path, variant.reason
        except WeightsError as error:
            precision, reason = "fp32", f"fp32: {error}"
    return Source(path, precision, reason)


def _usual(*, on_gpu: bool) -> Precision:
    return "fp16" if on_gpu else "fp32"
