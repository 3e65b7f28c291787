"""Build small ONNX files: weights stored compactly, a uint8 picture front inside, the same bytes on every run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model_zoo.errors import WeightsError

OPSET = 17
IR_VERSION = 8  # what opset 17 was published with, so every runtime that knows the opset loads the file
SMALL_ELEMENTS = 1024  # below this, halving a tensor saves nothing worth its rounding
MOST_HALF = 65504.0  # the largest float16
MOST_BYTES = 12_000_000


class GraphBuilder:
    """Collect the nodes and weights of one graph; the same calls give the same names and the same bytes."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._names: Counter[str] = Counter()

    def node(
        self, operator: str, inputs: Sequence[str], attributes: Mapping[str, Any] | None = None, output: str = ""
    ) -> str:
        """Append a node with one output and return the output's name."""
        output = output or self._name(operator.lower())
        self._nodes.append(helper.make_node(operator, list(inputs), [output], output, **(attributes or {})))
        return output

    def split(self, value: str, sizes: Sequence[int], axis: int) -> list[str]:
        """Cut a value along an axis and return the names of the pieces."""
        name = self._name("split")
        pieces = [f"{name}_{number}" for number in range(len(sizes))]
        inputs = [value, self.constant(np.array(sizes, np.int64))]
        self._nodes.append(helper.make_node("Split", inputs, pieces, name, axis=axis))
        return pieces

    def constant(self, values: NDArray[Any]) -> str:
        """Store a tensor as it is."""
        name = self._name("constant")
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(values).reshape(values.shape), name))
        return name

    def weight(self, values: NDArray[np.floating[Any]]) -> str:
        """Store a large tensor as float16, to be cast (and folded) to float32 when the file is loaded."""
        if values.size < SMALL_ELEMENTS:
            return self.constant(values.astype(np.float32))
        largest = float(np.abs(values).max())
        if not largest <= MOST_HALF:
            raise WeightsError(
                f"a weight of {self._title} reaches {largest}; float16 ends at 65504: store it as float32"
            )
        return self.node("Cast", [self.constant(values.astype(np.float16))], {"to": TensorProto.FLOAT})

    def fine_weight(self, values: NDArray[np.floating[Any]], axis: int) -> str:
        """Store a large tensor in 16 bits as `weight` does, but some four times as exactly: whole numbers by channel.

        `axis` is that of the channels; each has the scale that its largest value needs.
        """
        if values.size < SMALL_ELEMENTS:
            return self.constant(values.astype(np.float32))
        others = tuple(other for other in range(values.ndim) if other != axis)
        scale = np.abs(values).max(axis=others, keepdims=True) / np.iinfo(np.int16).max
        codes = np.rint(values / np.where(scale, scale, 1)).astype(np.int16)
        return self.coded_weight(codes, 0.0, scale)

    def coded_weight(
        self,
        codes: NDArray[np.uint8] | NDArray[np.int8] | NDArray[np.int16],
        zero: float,
        scale: NDArray[np.floating[Any]],
    ) -> str:
        """Store a tensor as bytes, to be spread to `(codes - zero) * scale` (and folded) when the file is loaded."""
        spread = self.node("Cast", [self.constant(codes)], {"to": TensorProto.FLOAT})
        if zero:
            spread = self.node("Sub", [spread, self.constant(np.array(zero, np.float32))])
        return self.node("Mul", [spread, self.constant(scale.astype(np.float32))])

    def picture(self, mean: Sequence[float], deviation: Sequence[float]) -> str:
        """Turn the input `pixels`, uint8 RGB, into `(pixels - mean) / deviation`: (N, H, W, 3) -> (N, 3, H, W)."""
        value = self.node("Cast", ["pixels"], {"to": TensorProto.FLOAT})
        value = self.node("Transpose", [value], {"perm": [0, 3, 1, 2]})
        if any(mean):
            value = self.node("Sub", [value, self.constant(per_channel(mean))])
        return self.node("Mul", [value, self.constant(per_channel([1.0 / one for one in deviation]))])

    def adopt(self, model: onnx.ModelProto, values: Mapping[str, str]) -> dict[str, str]:
        """Copy another model's graph behind `values` (its input names: names here) and free a batch fixed at 1.

        Nodes are taken in the order in which the outputs need them and get new names, for a converter may name and
        order them differently on every run. Returns its output names: names here.
        """
        stored = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
        maker = {output: node for node in model.graph.node for output in node.output}
        known = {"": "", **values}

        def take(name: str) -> str:
            if name not in known:
                known[name] = self._adopted_weight(stored[name]) if name in stored else copied(maker[name])
            return known[name]

        def copied(node: onnx.NodeProto) -> str:
            if len(node.output) != 1:
                raise WeightsError(f"{node.op_type} has {len(node.output)} outputs; adopt() copies nodes with one")
            attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
            shape = stored.get(node.input[1]) if node.op_type == "Reshape" else None
            if shape is not None and shape[0] == 1:
                free = self.constant(np.array([0, *shape[1:]], np.int64))  # 0: as many rows as come in
                return self.node("Reshape", [take(node.input[0]), free], attributes)
            return self.node(node.op_type, [take(name) for name in node.input], attributes)

        return {output.name: take(output.name) for output in model.graph.output}

    def model(
        self,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
        notes: Mapping[str, str],
    ) -> onnx.ModelProto:
        """Return the checked model, with `notes` in its metadata."""
        graph = helper.make_graph(self._nodes, self._title, list(inputs), list(outputs), self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        return finished(model, notes)

    def _adopted_weight(self, values: NDArray[Any]) -> str:
        return self.weight(values) if values.dtype == np.float32 else self.constant(values)

    def _name(self, kind: str) -> str:
        self._names[kind] += 1
        return f"{kind}_{self._names[kind]}"


def per_channel(values: Sequence[float]) -> NDArray[np.float32]:
    """Shape one number per channel so that it spreads over (N, C, H, W)."""
    return np.array(values, np.float32).reshape(1, -1, 1, 1)


def pixels_input(side: int) -> onnx.ValueInfoProto:
    """Describe the one input of every picture model: uint8 (N, side, side, 3), RGB."""
    return helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", side, side, 3])


def float_output(name: str, *sizes: int) -> onnx.ValueInfoProto:
    """Describe a float32 output of shape (N, *sizes)."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *sizes])


def finished(model: onnx.ModelProto, notes: Mapping[str, str]) -> onnx.ModelProto:
    """Drop what differs between runs, write the notes, sorted, and check the model."""
    model.producer_name = "reelwarden"
    model.producer_version = model.doc_string = model.graph.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""
    helper.set_model_props(model, dict(sorted(notes.items())))
    onnx.checker.check_model(model, full_check=True)
    return model


def file_bytes(model: onnx.ModelProto) -> bytes:
    """Serialise a model, the same bytes for the same model; refuse one that is too large for the project."""
    content: bytes = model.SerializeToString(deterministic=True)
    if len(content) > MOST_BYTES:
        raise WeightsError(
            f"{model.graph.name} has {len(content)} bytes, at most {MOST_BYTES}: store more of it compactly"
        )
    return content
