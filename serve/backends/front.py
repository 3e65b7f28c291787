"""Give any image network the one input contract: uint8 RGB (N, H, W, 3); normalisation becomes part of its graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from model_zoo.errors import BackendError
from model_zoo.manifest import Input, ModelSpec
from model_zoo.values import Tensor
from serve.backends.text_front import with_ids_front

_INNER = "reelwarden_front"


def with_front(spec: ModelSpec, path: Path) -> bytes:
    """Return the serialized model, made to take what every model of its kind takes; sound is taken as it is."""
    return with_ids_front(spec, path) if spec.text else with_uint8_front(spec, path)


def with_uint8_front(spec: ModelSpec, path: Path) -> bytes:
    """Return the serialized model, fronted by swap, cast, normalise and transpose where models.toml asks for them.

    A graph that takes uint8 NHWC RGB already, or sound, is returned as it is on disk. uint8 in the graph costs nothing
    measurable on CPU, quarters the bytes that go to a GPU, and is fused by TensorRT.
    """
    wanted = spec.input
    if wanted is None or wanted.dtype == "uint8":
        return path.read_bytes()
    model = onnx.load(path)
    inputs = [i for i in model.graph.input if i.name not in {t.name for t in model.graph.initializer}]
    if [i.name for i in inputs] != [wanted.name]:
        raise BackendError(
            f"{spec.name}: {path.name} has inputs {[i.name for i in inputs]}, models.toml says {wanted.name!r}"
        )
    sides = [side.dim_value for side in inputs[0].type.tensor_type.shape.dim]
    check_size(spec, path, sides[1:3] if wanted.layout == "NHWC" else sides[2:4])
    inner = f"{_INNER}_{wanted.name}"
    for node in model.graph.node:
        node.input[:] = [inner if name == wanted.name else name for name in node.input]
    nodes, constants = _front(wanted, inner)
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
    model.graph.initializer.extend(constants)
    model.graph.input.remove(inputs[0])
    shape: list[str | int | None] = ["batch", wanted.height or "height", wanted.width or "width", 3]
    model.graph.input.append(helper.make_tensor_value_info(wanted.name, TensorProto.UINT8, shape))
    content: bytes = model.SerializeToString()
    return content


def check_size(spec: ModelSpec, path: Path, sides: Sequence[object]) -> None:
    """Raise BackendError where the height or width of a graph is fixed and not the manifest's; 0 and text are any."""
    if spec.input is None:
        return
    wanted = {"height": spec.input.height, "width": spec.input.width}
    for (key, told), found in zip(wanted.items(), sides, strict=False):
        if isinstance(found, int) and found > 0 and found != told:
            raise BackendError(f"{spec.name}: {path.name} takes pictures of {key} {found}, models.toml says {told}")


def cast_first(content: bytes) -> bytes:
    """Make numbers of uint8 pictures before all else: TensorRT does nothing else with them, CPUs are faster later."""
    model = onnx.load_model_from_string(content)
    for taken in model.graph.input:
        if taken.type.tensor_type.elem_type == TensorProto.UINT8:
            number = f"{taken.name}_as_numbers"
            for node in model.graph.node:
                node.input[:] = [number if name == taken.name else name for name in node.input]
            cast = helper.make_node("Cast", [taken.name], [number], to=TensorProto.FLOAT)
            model.graph.node.insert(0, cast)
    changed: bytes = model.SerializeToString()
    return changed


def _front(wanted: Input, inner: str) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return the nodes from the uint8 input to `inner`, and their constants.

    Channels come apart first, as uint8: arithmetic with three numbers in the innermost axis is many times slower.
    """
    constants: list[onnx.TensorProto] = []
    steps: list[tuple[str, list[str], dict[str, Any]]] = []

    def constant(name: str, value: Tensor) -> str:
        constants.append(numpy_helper.from_array(value, f"{_INNER}_{name}"))
        return f"{_INNER}_{name}"

    def by_channel(values: tuple[float, ...]) -> Tensor:
        one = np.array(values, np.float32)
        return one[0] if (one == one[0]).all() else one.reshape(3, 1, 1)

    steps.append(("Transpose", [], {"perm": [0, 3, 1, 2]}))  # (N, H, W, 3) -> (N, 3, H, W)
    if wanted.colour == "BGR":
        steps.append(("Gather", [constant("bgr", np.array([2, 1, 0], np.int64))], {"axis": 1}))
    steps.append(("Cast", [], {"to": TensorProto.FLOAT}))
    if any(wanted.mean):
        steps.append(("Sub", [constant("mean", by_channel(wanted.mean))], {}))
    if wanted.std != (1.0, 1.0, 1.0):
        steps.append(("Div", [constant("std", by_channel(wanted.std))], {}))
    if wanted.layout == "NHWC":
        steps.append(("Transpose", [], {"perm": [0, 2, 3, 1]}))  # cancels the one that such networks begin with
    nodes, value = [], wanted.name
    for number, (operator, extra, attributes) in enumerate(steps):
        result = inner if number == len(steps) - 1 else f"{_INNER}_{number}"
        nodes.append(helper.make_node(operator, [value, *extra], [result], **attributes))
        value = result
    return nodes, constants
