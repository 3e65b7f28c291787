"""INT8 as Q/DQ nodes that TensorRT takes, around the heavy operators that bear it; all else in float16."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnx.version_converter

from export.precisions import COMPUTING, as_fp16, feeder
from model_zoo.errors import WeightsError
from model_zoo.qdq import mark
from model_zoo.values import Tensor, Tensors

OPERATORS = ["Conv", "MatMul", "Gemm"]  # ONNX Runtime's quantizer brings no LSTM or GRU to INT8
LEAST_OPSET = 19  # the first whose Q/DQ nodes take float16
RANKING_ROWS = 8  # on which one operator at a time is tried

Quantize = Callable[[Collection[str]], onnx.ModelProto]


def as_int8(
    model: onnx.ModelProto, fed: Tensors, moved: Callable[[onnx.ModelProto], float], allowed: float
) -> onnx.ModelProto:
    """Return the model with as many heavy operators in INT8 as leave `moved(model)` at `allowed` or less.

    Calibrated on the rows (N, ...) of `fed`. Where not all can be, those whose quantization adds most noise to the
    outputs are left out, as few as will do (found by halving). Raises WeightsError where not one can be.
    """
    with calibrated(model, fed) as (names, quantize):
        whole = as_fp16(quantize(()))
        if moved(whole) <= allowed:
            return whole
        worst = _ranked(model, names, quantize, {name: rows[:RANKING_ROWS] for name, rows in fed.items()})
        found, too_few, enough = None, 0, len(worst)
        while enough - too_few > 1:
            left_out = (too_few + enough) // 2
            tried = as_fp16(quantize(worst[:left_out]))
            if moved(tried) <= allowed:
                found, enough = tried, left_out
            else:
                too_few = left_out
    if found is None:
        raise WeightsError(f"none of its {len(names)} heavy operators can be INT8 without moving it too far")
    return found


def in_int8(model: onnx.ModelProto) -> tuple[int, int]:
    """Count the heavy operators whose inputs are INT8, and all of them."""
    makers = {name: node.op_type for node in model.graph.node for name in node.output}
    heavy = [node for node in model.graph.node if node.op_type in COMPUTING]
    return sum(makers.get(node.input[0]) == "DequantizeLinear" for node in heavy), len(heavy)


def all_int8(model: onnx.ModelProto, fed: Tensors) -> onnx.ModelProto:
    """Return the model with every heavy operator in INT8, however far that moves it."""
    with calibrated(model, fed) as (_, quantize):
        return as_fp16(quantize(()))


@contextmanager
def calibrated(model: onnx.ModelProto, fed: Tensors) -> Iterator[tuple[list[str], Quantize]]:
    """Yield the names of what can be quantized, and what quantizes all of it but some names.

    Symmetric, weights per channel, activations by their extremes on `fed`; biases stay float, as TensorRT refuses those
    of 32 bits. Only what goes into an operator is quantized: what comes out reaches the activation, the sum or the
    normalisation after it whole, which TensorRT fuses.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import CalibrationDataReader
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Rows(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._rows: Iterator[tuple[Tensor, ...]] = zip(*fed.values(), strict=True)

        def get_next(self) -> dict[str, Tensor] | None:
            row = next(self._rows, None)
            return None if row is None else {name: part[None] for name, part in zip(fed, row, strict=True)}

    logging.getLogger().setLevel(logging.ERROR)  # it advises what was done a line before
    with TemporaryDirectory(prefix="reelwarden-") as folder:
        plain, ready, done = (Path(folder, f"{name}.onnx") for name in ("plain", "ready", "done"))
        onnx.save(_named(_of_opset(model)), plain)
        quant_pre_process(plain, ready, skip_symbolic_shape=True, skip_optimization=True)

        def quantize(left_out: Collection[str]) -> onnx.ModelProto:
            quantize_static(
                ready,
                done,
                Rows(),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=OPERATORS,
                nodes_to_exclude=list(left_out),
                per_channel=True,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                calibration_cache_path=Path(folder, "ranges.json"),
                extra_options={
                    "ActivationSymmetric": True,
                    "WeightSymmetric": True,
                    "QuantizeBias": False,
                    "OpTypesToExcludeOutputQuantization": OPERATORS,
                },
            )
            quantized = onnx.load(done)
            mark(quantized)
            return quantized

        names = [node.name for node in onnx.load(ready).graph.node if node.op_type in OPERATORS]
        yield names, quantize


def _of_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    opset = next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
    return model if opset >= LEAST_OPSET else onnx.version_converter.convert_version(model, LEAST_OPSET)


def _named(model: onnx.ModelProto) -> onnx.ModelProto:
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{number}"
    return model


def _ranked(model: onnx.ModelProto, names: Sequence[str], quantize: Quantize, fed: Tensors) -> list[str]:
    """Sort operators by the noise that quantizing each alone adds to the outputs, most first."""
    wanted = feeder(model)(fed)
    noise = {}
    for name in names:
        got = feeder(quantize([other for other in names if other != name]))(fed)
        noise[name] = sum(_noise(wanted[key], got[key]) for key in wanted)
    return sorted(names, key=lambda name: -noise[name])


def _noise(wanted: Tensor, got: Tensor) -> float:
    """Return the power of the difference as a share of the signal's."""
    signal = wanted.astype(np.float64)
    return float(np.square(signal - got).sum() / max(np.square(signal).sum(), 1e-12))
