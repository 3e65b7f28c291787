"""Overlapping boxes thinned out inside a detector's graph, so that only a few rows of it are copied back.

Outputs keep their names and meaning, scores (N, A, K) and boxes (N, A, 4); A becomes the few anchors that are left, and
the scores of what was pushed out are 0. The domain's decoder reads them as before, and finds nothing more to push out.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model_zoo.errors import UsageError
from model_zoo.objects.postprocess import MOST_OVERLAP, RULE

MOST_ANCHORS = 300  # that are left of one picture
MOST_PER_CLASS = 200
AXES_ARE_INPUT = 18  # the opset since which ReduceMax is told its axes so
_INNER = "reelwarden_nms"


def with_nms(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the detector with the thresholds of the domain `objects` in its graph; raises UsageError for another."""
    names = [output.name for output in model.graph.output]
    if names != ["scores", "boxes"]:
        raise UsageError(f"--nms: it is for objects.detector, whose outputs are scores and boxes; these are {names}")
    anchors, classes = (one.dim_value for one in model.graph.output[0].type.tensor_type.shape.dim[1:3])
    if not (anchors and classes):
        raise UsageError("--nms: the graph does not say how many anchors and classes it has")
    fronted = onnx.ModelProto()
    fronted.CopyFrom(model)
    graph = fronted.graph
    for node in graph.node:
        for names_of in (node.input, node.output):
            names_of[:] = [f"{_INNER}_all_{name}" if name in names else name for name in names_of]
    left = min(MOST_ANCHORS, anchors)
    opset = next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
    graph.node.extend(_thinned(opset))
    graph.initializer.extend(_constant(name, value) for name, value in _constants(left).items())
    del graph.output[:]
    graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", left, size])
        for name, size in (("scores", classes), ("boxes", 4))
    )
    onnx.checker.check_model(fronted)
    return fronted


def _constants(left: int) -> dict[str, NDArray[np.generic]]:
    return {
        "most": np.array([MOST_PER_CLASS], np.int64),
        "overlap": np.array([MOST_OVERLAP], np.float32),
        "least": np.array([RULE.close_below], np.float32),
        "left": np.array([left], np.int64),
        "classes": np.array([1], np.int64),
        "last": np.array([-1], np.int64),
        "first": np.array([0], np.int64),
        "one": np.array([1.0], np.float32),
    }


def _constant(name: str, value: NDArray[np.generic]) -> onnx.TensorProto:
    return numpy_helper.from_array(value, f"{_INNER}_{name}")


def _thinned(opset: int) -> list[onnx.NodeProto]:
    """Return the nodes: choose (M, 3), mark what was chosen, and gather the anchors with the best marks."""

    def node(operator: str, inputs: str, output: str, **attributes: int | list[int]) -> onnx.NodeProto:
        named = [name if name in ("scores", "boxes") else f"{_INNER}_{name}" for name in inputs.split()]
        outputs = [name if name in ("scores", "boxes") else f"{_INNER}_{name}" for name in output.split()]
        return helper.make_node(operator, named, outputs, f"{_INNER}_{outputs[0]}", **attributes)

    if opset >= AXES_ARE_INPUT:
        best = node("ReduceMax", "kept classes", "best", keepdims=0)  # (N, K, A) -> (N, A)
    else:
        best = node("ReduceMax", "kept", "best", axes=[1], keepdims=0)
    zeros = numpy_helper.from_array(np.zeros(1, np.float32))
    return [
        node("Transpose", "all_scores", "by_class", perm=[0, 2, 1]),  # (N, A, K) -> (N, K, A)
        node("NonMaxSuppression", "all_boxes by_class most overlap least", "chosen"),  # (M, 3): row, class, anchor
        node("Shape", "by_class", "shape"),
        helper.make_node("ConstantOfShape", [f"{_INNER}_shape"], [f"{_INNER}_none"], f"{_INNER}_none", value=zeros),
        node("Shape", "chosen", "chosen_shape"),
        node("Gather", "chosen_shape first", "count", axis=0),
        node("Expand", "one count", "marks"),  # (M,)
        node("ScatterND", "none chosen marks", "mask"),  # (N, K, A)
        node("Mul", "by_class mask", "kept"),
        best,
        node("TopK", "best left", "best_scores places", axis=1),
        node("Unsqueeze", "places last", "rows"),  # (N, L, 1)
        node("Transpose", "kept", "kept_scores", perm=[0, 2, 1]),
        node("GatherND", "kept_scores rows", "scores", batch_dims=1),  # (N, L, K)
        node("GatherND", "all_boxes rows", "boxes", batch_dims=1),  # (N, L, 4)
    ]
