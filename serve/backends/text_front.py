"""Give any network that reads the one input contract: token ids alone; what follows from them is put into its graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from model_zoo.errors import BackendError
from model_zoo.manifest import ModelSpec, TextInput

_INNER = "reelwarden_front"


def with_ids_front(spec: ModelSpec, path: Path) -> bytes:
    """Return the serialized model, whose mask and sentence numbers are worked out from its ids.

    A graph that takes nothing but ids is returned as it is on disk.
    """
    wanted = spec.reads()
    extra = {name for name in (wanted.mask_name, wanted.types_name) if name}
    if not extra:
        return path.read_bytes()
    model = onnx.load(path)
    inputs = {i.name: i for i in model.graph.input if i.name not in {t.name for t in model.graph.initializer}}
    if set(inputs) != {wanted.name, *extra}:
        raise BackendError(
            f"{spec.name}: {path.name} has inputs {sorted(inputs)}, models.toml says {sorted({wanted.name, *extra})}"
        )
    for node in reversed(_front(wanted)):
        model.graph.node.insert(0, node)
    model.graph.initializer.append(numpy_helper.from_array(np.array(wanted.pad_id, np.int64), f"{_INNER}_pad"))
    for name in extra:
        model.graph.input.remove(inputs[name])
    content: bytes = model.SerializeToString()
    return content


def _front(wanted: TextInput) -> list[onnx.NodeProto]:
    padded, kept = f"{_INNER}_padded", wanted.mask_name or f"{_INNER}_kept"
    nodes = [
        helper.make_node("Equal", [wanted.name, f"{_INNER}_pad"], [padded]),
        helper.make_node("Not", [padded], [f"{_INNER}_not"]),
        helper.make_node("Cast", [f"{_INNER}_not"], [kept], to=TensorProto.INT64),
    ]
    if wanted.types_name:
        nodes.append(helper.make_node("Sub", [kept, kept], [wanted.types_name]))  # all of the first sentence
    return nodes
