"""INT8 as Q/DQ nodes that TensorRT takes, around the heavy operators that bear it; all else in float16."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import onnx.version_converter

from export.left_out import Bounds, Convert, fewest_left_out, noise_of
from export.precisions import COMPUTING, as_fp16, named
from model_zoo.qdq import mark
from model_zoo.values import Tensor, Tensors

OPERATORS = ["Conv", "MatMul", "Gemm"]  # ONNX Runtime's quantizer brings no LSTM or GRU to INT8
LEAST_OPSET = 19  # the first whose Q/DQ nodes take float16


def as_int8(model: onnx.ModelProto, fed: Tensors, bounds: Bounds) -> onnx.ModelProto:
    """Return the model with as many heavy operators in INT8 as its bounds allow, fitted to rows (N, ...) of `fed`."""
    with calibrated(model, fed) as (names, quantize):
        noise = noise_of(model, fed, lambda name: quantize([other for other in names if other != name]))
        return fewest_left_out(names, lambda left_out: as_fp16(quantize(left_out)), noise, bounds)


def in_int8(model: onnx.ModelProto) -> tuple[int, int]:
    """Count the heavy operators whose inputs are INT8, and all of them."""
    makers = {name: node.op_type for node in model.graph.node for name in node.output}
    heavy = [node for node in model.graph.node if node.op_type in COMPUTING]
    return sum(makers.get(node.input[0]) == "DequantizeLinear" for node in heavy), len(heavy)


@contextmanager
def calibrated(model: onnx.ModelProto, fed: Tensors) -> Iterator[tuple[list[str], Convert]]:
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
        onnx.save(named(_of_opset(model)), plain)
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
