"""An engine is used only if its answers are those of the file that it was built from, as ONNX Runtime computes them."""

from __future__ import annotations

import numpy as np
import onnxruntime

from model_zoo.errors import BackendError
from model_zoo.manifest import ModelSpec
from model_zoo.qdq import run_as_written
from model_zoo.values import Model, Tensor

ROWS = 2
MOST_SHARE = 0.1  # of an output's largest value; kernels differ by far less, and what is broken by far more
USUAL_SIDE = 1  # of `any_side`


def check_agreement(spec: ModelSpec, content: bytes, model: Model) -> None:
    """Run two rows of noise through both; raises BackendError where they differ by more than rounding explains."""
    rows = noise(spec)
    session = onnxruntime.InferenceSession(content, _options(content), providers=["CPUExecutionProvider"])
    wanted = dict(zip(spec.outputs, session.run(list(spec.outputs), {spec.input_name: rows}), strict=True))
    got = model.run({spec.input_name: rows})
    for output, values in wanted.items():
        share = share_of_difference(values, got[output])
        if not share <= MOST_SHARE:  # also for what is no number
            raise BackendError(
                f"{spec.name}: TensorRT's answers are not those of ONNX Runtime: {output} differs by {share:.2g} of "
                f"its largest value, {MOST_SHARE:g} is allowed; set REELWARDEN_TENSORRT=off"
            )


def noise(spec: ModelSpec) -> Tensor:
    """Return rows of the model's one input, the same ones each time."""
    random = np.random.default_rng(7)
    if spec.sound is not None:
        return random.uniform(-0.5, 0.5, (ROWS, spec.sound.samples)).astype(np.float32)
    if spec.text is not None:
        return np.ones((ROWS, spec.text.most_tokens), np.int64)
    seen = spec.sees()
    side = seen.any_side[USUAL_SIDE]
    return random.integers(0, 256, (ROWS, seen.height or side, seen.width or side, 3), np.uint8)


def share_of_difference(wanted: Tensor, got: Tensor) -> float:
    """Return the largest difference, as a share of the largest wanted value."""
    if wanted.shape != got.shape:
        return float("inf")
    difference = np.abs(wanted.astype(np.float64) - got.astype(np.float64)).max(initial=0.0)
    return float(difference / max(float(np.abs(wanted).max(initial=0.0)), 1e-6))


def _options(content: bytes) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    run_as_written(options, content)
    return options
