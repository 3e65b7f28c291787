"""The graph builder stores weights compactly, normalises pictures inside the graph and writes the same bytes twice."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from export.onnx_tools import GraphBuilder, file_bytes, float_output, pixels_input
from model_zoo.errors import WeightsError


def small_model(weights: np.ndarray) -> onnx.ModelProto:
    graph = GraphBuilder("small")
    value = graph.picture(mean=(10.0, 20.0, 30.0), deviation=(2.0, 4.0, 8.0))  # (N, 3, 4, 4)
    value = graph.node("Flatten", [value])
    graph.node("MatMul", [value, graph.weight(weights)], output="scores")
    return graph.model([pixels_input(4)], [float_output("scores", weights.shape[1])], {"licence": "MIT"})


def answers(model: onnx.ModelProto, pixels: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(file_bytes(model), providers=["CPUExecutionProvider"])
    return session.run(["scores"], {"pixels": pixels})[0]


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), np.uint8)


def test_the_picture_front_normalises_per_channel(pixels: np.ndarray) -> None:
    wanted = (pixels - np.array([10.0, 20.0, 30.0])) / np.array([2.0, 4.0, 8.0])
    found = answers(small_model(np.eye(48)), pixels)
    np.testing.assert_allclose(found, wanted.transpose(0, 3, 1, 2).reshape(5, 48), rtol=1e-6, atol=1e-6)


def test_a_row_is_the_same_in_every_batch(pixels: np.ndarray) -> None:
    model = small_model(np.random.default_rng(1).normal(size=(48, 64)))
    whole = answers(model, pixels)
    for rows in (1, 3):
        np.testing.assert_allclose(answers(model, pixels[:rows]), whole[:rows], rtol=1e-6)


def test_a_large_weight_is_stored_as_float16_and_a_small_one_as_float32() -> None:
    large, small = small_model(np.ones((48, 64))), small_model(np.ones((48, 2)))
    assert onnx.TensorProto.FLOAT16 in {weight.data_type for weight in large.graph.initializer}
    assert {weight.data_type for weight in small.graph.initializer} == {onnx.TensorProto.FLOAT}


def test_a_weight_beyond_float16_is_refused_with_its_value() -> None:
    with pytest.raises(WeightsError, match=r"70000.*float16"):
        GraphBuilder("small").weight(np.full((32, 32), 70000.0))


def test_coded_weights_spread_to_codes_less_zero_times_scale() -> None:
    codes = np.arange(256, dtype=np.uint8).reshape(1, 256)
    graph = GraphBuilder("coded")
    weight = graph.coded_weight(codes, 6.0, np.array(0.5))
    graph.node("MatMul", ["one", weight], output="scores")
    one = onnx.helper.make_tensor_value_info("one", onnx.TensorProto.FLOAT, ["N", 1])
    model = graph.model([one], [float_output("scores", 256)], {})
    session = onnxruntime.InferenceSession(file_bytes(model), providers=["CPUExecutionProvider"])
    found = session.run(["scores"], {"one": np.ones((2, 1), np.float32)})[0]
    np.testing.assert_allclose(found, np.repeat((codes - 6.0) * 0.5, 2, axis=0), rtol=1e-6)


def test_the_same_calls_give_the_same_bytes_and_the_notes_are_inside() -> None:
    first, second = small_model(np.ones((48, 64))), small_model(np.ones((48, 64)))
    assert file_bytes(first) == file_bytes(second)
    assert {entry.key: entry.value for entry in first.metadata_props} == {"licence": "MIT"}


def test_a_file_too_large_for_the_project_is_refused() -> None:
    model = small_model(np.zeros((48, 150_000)))
    with pytest.raises(WeightsError, match="at most 12000000"):
        file_bytes(model)


def foreign_model(names: tuple[str, str]) -> onnx.ModelProto:
    """Make what a converter might: float32 input, batch fixed at 1, names that change from run to run."""
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    first, second = names
    nodes = [
        helper.make_node("Reshape", ["in", f"{first}_shape"], [first]),
        helper.make_node("Relu", [first], [second]),
        helper.make_node("Sub", [second, first], ["out"]),
    ]
    shape = onnx.numpy_helper.from_array(np.array([1, -1], np.int64), f"{first}_shape")
    ends = [helper.make_tensor_value_info(name, float32, [1, size]) for name, size in (("in", 48), ("out", 48))]
    return helper.make_model(helper.make_graph(nodes, "foreign", ends[:1], ends[1:], [shape]))


def adopting_model(foreign: onnx.ModelProto) -> onnx.ModelProto:
    graph = GraphBuilder("adopting")
    outputs = graph.adopt(foreign, {"in": graph.node("Neg", [graph.picture((0, 0, 0), (1, 1, 1))])})
    graph.node("Identity", [outputs["out"]], output="scores")
    return graph.model([pixels_input(4)], [float_output("scores", 48)], {})


def test_an_adopted_graph_takes_any_batch(pixels: np.ndarray) -> None:
    found = answers(adopting_model(foreign_model(("a", "b"))), pixels)
    np.testing.assert_array_equal(found, pixels.transpose(0, 3, 1, 2).reshape(5, 48))


def test_an_adopted_graph_gives_the_same_bytes_whatever_its_names() -> None:
    first, second = (adopting_model(foreign_model(names)) for names in (("a", "b"), ("zz", "x9")))
    assert file_bytes(first) == file_bytes(second)


FACTS = sorted(Path(__file__).parents[2].glob("model_zoo/*/weights/*.json"))


@pytest.mark.parametrize("facts", FACTS, ids=lambda file: file.stem)
def test_every_file_of_weights_is_the_one_its_facts_describe(facts: Path) -> None:
    described = json.loads(facts.read_text("utf-8"))
    (weights,) = (file for suffix in (".onnx", ".npz") if (file := facts.with_suffix(suffix)).exists())
    content = weights.read_bytes()
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (described["sha256"], described["size_bytes"])
    assert facts.with_suffix(".LICENSE.txt").exists()
    assert (facts.parents[3] / described["recipe"]).exists()


def test_a_fine_weight_takes_16_bits_too_and_is_nearer_than_float16(pixels: np.ndarray) -> None:
    weights = np.random.default_rng(5).normal(size=(48, 64)) * np.geomspace(1e-3, 50, 64)
    weights[:, 7] = 0.0
    graph = GraphBuilder("fine")
    value = graph.node("Flatten", [graph.picture(mean=(0.0, 0.0, 0.0), deviation=(255.0, 255.0, 255.0))])
    graph.node("MatMul", [value, graph.fine_weight(weights, axis=1)], output="scores")
    model = graph.model([pixels_input(4)], [float_output("scores", 64)], {})
    wanted = pixels.transpose(0, 3, 1, 2).reshape(5, 48) / 255 @ weights
    half = pixels.transpose(0, 3, 1, 2).reshape(5, 48) / 255 @ weights.astype(np.float16).astype(np.float64)
    assert onnx.TensorProto.INT16 in {weight.data_type for weight in model.graph.initializer}
    assert np.abs(answers(model, pixels) - wanted).max() < np.abs(half - wanted).max() / 2
