"""Other precisions of an ONNX file: simplified fp32, fp16 with fp32 heads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnx.version_converter
import onnxruntime
from onnx import TensorProto

from model_zoo.errors import WeightsError
from model_zoo.qdq import run_as_written
from model_zoo.values import Tensor, Tensors

LEAST_OPSET = 13
COMPUTING = {"Conv", "ConvTranspose", "MatMul", "Gemm", "LSTM", "GRU"}
# Q/DQ nodes are part of the operator that they stand at: TensorRT wants the scales of its inputs in one type
_HEAVY = COMPUTING | {"QuantizeLinear", "DequantizeLinear"}


def simplified(path: Path) -> onnx.ModelProto:
    """Fold constants, such as weights stored as float16, and drop what does nothing; standard operators only."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with TemporaryDirectory(prefix="reelwarden-") as folder:
        options.optimized_model_filepath = str(Path(folder, "simplified.onnx"))
        try:
            onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise WeightsError(f"{path}: ONNX Runtime cannot load it: {str(error).splitlines()[0]}") from error
        model = onnx.load(options.optimized_model_filepath)
    opset = next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
    # scales per channel came with opset 13
    return model if opset >= LEAST_OPSET else onnx.version_converter.convert_version(model, LEAST_OPSET)


def as_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model in float16; inputs, outputs, and all before the first and after the last heavy node stay fp32.

    Normalisation at the front and scores at the back lose most in float16 and cost next to nothing.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    known = named(model)
    kept = sorted(_light_ends(known))
    converted: onnx.ModelProto = convert_float_to_float16(known, keep_io_types=True, node_block_list=kept)
    return converted


def named(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy whose nodes all have names, the same ones each time."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for number, node in enumerate(copy.graph.node):
        node.name = node.name or f"{node.op_type}_{number}"
    return copy


def runner(model: onnx.ModelProto) -> Callable[[str, Tensor], dict[str, Tensor]]:
    """Return a function that runs a model with one input on the CPU, a few rows at a time."""
    run = feeder(model)
    return lambda name, rows: run({name: rows})


def feeder(model: onnx.ModelProto) -> Callable[[Tensors], dict[str, Tensor]]:
    """Return a function that runs a model on the CPU, a few rows of all its inputs at a time."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    content = model.SerializeToString()
    run_as_written(options, content)
    session: Any = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(fed: Tensors) -> dict[str, Tensor]:
        starts = range(0, len(next(iter(fed.values()))), 4)
        parts = [session.run(names, {name: rows[at : at + 4] for name, rows in fed.items()}) for at in starts]
        return {key: np.concatenate(columns) for key, *columns in zip(names, *parts, strict=True)}

    return run


def _light_ends(model: onnx.ModelProto) -> set[str]:
    """Name the nodes with no heavy one before, or none after them; and those that work on what is not float32."""
    nodes = model.graph.node
    heavy_before = _reached(nodes, reverse=False)
    heavy_after = _reached(nodes, reverse=True)
    return {
        node.name
        for node in nodes
        if node.op_type not in _HEAVY and (node.name not in heavy_before or node.name not in heavy_after)
    }


def _reached(nodes: Any, *, reverse: bool) -> set[str]:
    """Name the nodes that a heavy node leads to (or, in reverse, that lead to one)."""
    marked: set[str] = set()
    values: set[str] = set()
    for node in reversed(nodes) if reverse else nodes:
        inside, outside = (node.output, node.input) if reverse else (node.input, node.output)
        if node.op_type in _HEAVY or any(name in values for name in inside if name):
            marked.add(node.name)
            values.update(name for name in outside if name)
    return marked


def float_biases(model: onnx.ModelProto) -> bool:
    """Say whether no bias of a Q/DQ file is a 32-bit integer."""
    wide = {weight.name for weight in model.graph.initializer if weight.data_type == TensorProto.INT32}
    return not any(node.op_type == "DequantizeLinear" and node.input[0] in wide for node in model.graph.node)
