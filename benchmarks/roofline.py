"""What a network costs at least: FLOPs and bytes counted from its graph, and the images a second that a card allows.

Counted are the heavy operators (convolutions, matrix products), two FLOPs a multiply-add. Bytes are what a device must
move if every heavy operator reads its input and weights once and writes its output once, all between them fused away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper, shape_inference

Shape = tuple[int, ...]
BYTES = {TensorProto.FLOAT: 4, TensorProto.FLOAT16: 2, TensorProto.UINT8: 1, TensorProto.INT8: 1}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one image costs, and what a batch costs once."""

    flops: float  # of one image
    activation_bytes: float  # of one image
    weight_bytes: float  # once for a batch

    def images_per_second(self, batch: int, flops_per_second: float, bytes_per_second: float) -> float:
        """Return the most that a card can do: it either computes or waits for memory."""
        moved = self.activation_bytes + self.weight_bytes / batch
        return 1.0 / max(self.flops / flops_per_second, moved / bytes_per_second)


@dataclass(frozen=True, slots=True)
class Peak:
    """What a card does at most, from its data sheet: FLOPs a second by arithmetic, bytes a second."""

    flops: dict[str, float]
    bytes_per_second: float

    def arithmetic(self, precision: str) -> str:
        """Return in what a precision is computed: ONNX Runtime multiplies fp32 as TF32 where the card has it."""
        return "tf32" if precision == "fp32" and "tf32" in self.flops else precision


def _peak(gigabytes: float, fp32: float, fp16: float, tf32: float | None = None) -> Peak:
    """Return a peak from gigabytes and teraflops a second."""
    flops = {"fp32": fp32 * 1e12, "fp16": fp16 * 1e12} | ({"tf32": tf32 * 1e12} if tf32 else {})
    return Peak(flops, gigabytes * 1e9)


# By words of the GPU's name; dense, without sparsity; from data sheets, nothing of it is measured here. Those of L40
# and L40S are as resellers reprint them. No public source was found for the A10G, nor for the A10's TF32.
PEAKS = {
    ("T4",): _peak(320, 8.1, 65),
    ("A10G",): _peak(600, 31.5, 70, 35),
    ("A10",): _peak(600, 31.2, 125, 62.5),
    ("A40",): _peak(696, 37.4, 149.7, 74.8),
    ("A100", "40GB"): _peak(1555, 19.5, 312, 156),
    ("A100", "SXM4", "80GB"): _peak(2039, 19.5, 312, 156),
    ("L4",): _peak(300, 30.3, 121, 60),
    ("L40",): _peak(864, 90.5, 181, 90.5),
    ("L40S",): _peak(864, 91.6, 362, 183),
    ("RTX", "4090"): _peak(1008, 82.6, 165, 82.6),
    ("H100", "PCIe"): _peak(2000, 51.2, 756, 378),
    ("H100", "HBM3"): _peak(3350, 66.9, 989, 494),  # as SXM cards call themselves
    ("H200",): _peak(4800, 66.9, 989, 494),
}
_OTHER_CARDS = {"NVL", "Laptop", "D"}  # slower ones, which have a name of these in theirs


def peak_of(name: str) -> Peak | None:
    """Return the peaks of a GPU; None where nothing is known of it."""
    words = set(name.replace("-", " ").split())
    if words & _OTHER_CARDS:
        return None
    return next((peak for known, peak in PEAKS.items() if words.issuperset(known)), None)


def cost(model: onnx.ModelProto, input_shape: Shape) -> Cost:
    """Count one run on an input of this shape, whose first side is the batch; all is divided by that."""
    stored = {tensor.name for tensor in model.graph.initializer}
    (taken,) = [value.name for value in model.graph.input if value.name not in stored]
    nodes = _in_order(model.graph.node, {taken, *stored})
    shapes, kinds = _shapes(model, taken, nodes, input_shape)
    flops = activations = weights = 0.0
    for node in nodes:
        if stored.issuperset(name for name in node.input if name):
            stored.update(node.output)  # weights kept small on disk, and cast when they are loaded
        multiplied = _multiplied(node, shapes)
        if multiplied is None:
            continue
        flops += 2.0 * multiplied
        for name in [*node.input, *node.output]:
            if name in shapes:
                size = math.prod(shapes[name]) * BYTES.get(kinds[name], 4)
                weights += size * (name in stored)
                activations += size * (name not in stored)
    images = input_shape[0]
    return Cost(flops / images, activations / images, weights)


def _multiplied(node: onnx.NodeProto, shapes: dict[str, Shape]) -> int | None:
    """Return the multiply-adds of a heavy operator; None for others, and where a shape is not known."""
    heavy = {"Conv", "ConvTranspose", "MatMul", "Gemm", "FusedConv", "FusedMatMul"}
    if node.op_type not in heavy or any(name not in shapes for name in (*node.input[:2], node.output[0])):
        return None
    given, weights, made = shapes[node.input[0]], shapes[node.input[1]], shapes[node.output[0]]
    if node.op_type in ("Conv", "FusedConv"):
        return math.prod(made) * math.prod(weights[1:])  # (M, C / groups, kernel...)
    if node.op_type == "ConvTranspose":
        return math.prod(given) * math.prod(weights[1:])  # (C, M / groups, kernel...)
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return math.prod(made) * given[0 if transposed else -1]


def _shapes(
    model: onnx.ModelProto, taken: str, nodes: list[onnx.NodeProto], input_shape: Shape
) -> tuple[dict[str, Shape], dict[str, int]]:
    """Return shapes and types of all tensors for one input shape."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    stored = {tensor.name: tensor for tensor in fixed.graph.initializer}
    (given,) = [value for value in fixed.graph.input if value.name == taken]
    given.CopyFrom(helper.make_tensor_value_info(taken, given.type.tensor_type.elem_type, input_shape))
    for output in fixed.graph.output:
        output.type.tensor_type.ClearField("shape")
    del fixed.graph.value_info[:]
    del fixed.graph.node[:]
    fixed.graph.node.extend(nodes)
    known = shape_inference.infer_shapes(fixed, data_prop=True).graph
    shapes = {name: tuple(tensor.dims) for name, tensor in stored.items()}
    kinds = {name: tensor.data_type for name, tensor in stored.items()}
    for value in [*known.input, *known.value_info, *known.output]:
        sides = value.type.tensor_type.shape.dim
        if all(side.HasField("dim_value") for side in sides) and value.type.tensor_type.HasField("shape"):
            shapes[value.name] = tuple(side.dim_value for side in sides)
        kinds[value.name] = value.type.tensor_type.elem_type
    return shapes, kinds


def _in_order(nodes: Iterable[onnx.NodeProto], made: set[str]) -> list[onnx.NodeProto]:
    """Return nodes so that each comes after what it reads: converters to fp16 append casts at the end."""
    ordered, waiting = [], [_copy(node) for node in nodes]
    while waiting:
        ready = [node for node in waiting if all(not name or name in made for name in node.input)]
        if not ready:
            return ordered + waiting
        waiting = [node for node in waiting if all(node is not other for other in ready)]
        made.update(name for node in ready for name in node.output)
        ordered += ready
    return ordered


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    """Return a node that outlives its list."""
    new = onnx.NodeProto()
    new.CopyFrom(node)
    return new
