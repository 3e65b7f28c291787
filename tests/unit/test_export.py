"""Export: other precisions are compared with fp32 on real pictures, and what moves too far is not written."""

from __future__ import annotations

import importlib.util
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from export.__main__ import GOLDEN, find_spec, in_precision, main, weights_of
from export.parity import compare
from export.precisions import float_biases, runner, simplified
from export.samples import frames_of, network_rows
from model_zoo.engines.build import Aim, build
from model_zoo.errors import UsageError, WeightsError
from model_zoo.manifest import ModelSpec
from model_zoo.values import Frames, SoundWindows
from model_zoo.weights import WeightPlaces
from serve.backends.choose import place_model
from serve.backends.place import Wishes

NAME = "moderation/nsfwjs_mobilenet_v2"
HAS_TENSORRT = importlib.util.find_spec("tensorrt_rtx") is not None
needs_tensorrt = pytest.mark.skipif(not HAS_TENSORRT, reason="tensorrt_rtx is not installed: make tensorrt-check")


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return find_spec(NAME)


@pytest.fixture(scope="module")
def plain(spec: ModelSpec) -> onnx.ModelProto:
    return simplified(weights_of(spec))


def test_fp16_halves_the_weights_and_keeps_front_and_head_in_fp32(
    spec: ModelSpec, plain: onnx.ModelProto, tmp_path: Path
) -> None:
    assert main([NAME, "--to", "fp16", "--rows", "6", "--out", str(tmp_path)]) == 0
    written = onnx.load(tmp_path / f"{spec.name}.fp16.onnx")
    assert written.ByteSize() < 0.6 * plain.ByteSize()
    assert [output.type.tensor_type.elem_type for output in written.graph.output] == [TensorProto.FLOAT]
    softmax = next(node for node in written.graph.node if node.op_type == "Softmax")
    maker = next(node for node in written.graph.node if softmax.input[0] in node.output)
    assert maker.op_type == "Cast"
    assert helper.get_attribute_value(maker.attribute[0]) == TensorProto.FLOAT
    report = json.loads((tmp_path / f"{spec.name}.fp16.parity.json").read_text())
    assert 0 < report["moved"] <= report["tolerance"] == 0.01
    assert report["gate"] == "change of a final score"


def test_what_is_kept_is_what_serving_runs(
    spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setenv("REELWARDEN_CACHE", str(tmp_path))
    weights = weights_of(spec)
    assert main([NAME, "--to", "fp16", "--rows", "2", "--keep"]) == 0
    wishes = Wishes(WeightPlaces(tmp_path / "model", tmp_path), device="cpu", precision="fp16")
    rows = frames_of(GOLDEN, spec, 2)
    assert isinstance(rows, Frames)
    with ThreadPoolExecutor(1) as executor:
        placed = place_model(spec, weights, wishes, executor, 1)
        scores = placed.model.run({"pixels": rows.pixels})["scores"]
    assert placed.precision == "fp16"
    assert "fp16: exported; change of a final score: " in placed.reason
    np.testing.assert_allclose(scores, runner(simplified(weights))("pixels", rows.pixels)["scores"], atol=0.01)


def test_a_precision_that_moves_too_far_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["transcription/silero_vad", "--to", "fp16", "--rows", "6", "--out", str(tmp_path)])
    assert code == WeightsError.exit_code
    assert "fp16 is not written, it moves too far: change of a tensor" in capsys.readouterr().err
    report = json.loads((tmp_path / "silero_vad.fp16.parity.json").read_text())
    assert report["moved"] > report["tolerance"] == 0.01
    assert not (tmp_path / "silero_vad.fp16.onnx").exists()


def test_what_int8_would_move_too_far_stays_in_float16(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcription/speaker_ge2e", "--to", "int8", "--calibration-rows", "24", "--out", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "speaker_ge2e.int8.parity.json").read_text())
    assert 0 < report["moved"] <= report["tolerance"] == 0.05
    assert 0 < report["int8_operators"] < report["heavy_operators"]
    told = f"{report['int8_operators']} of {report['heavy_operators']} heavy operators in INT8"
    assert told in capsys.readouterr().out
    written = onnx.load(tmp_path / "speaker_ge2e.int8.onnx")
    kinds = {weight.data_type for weight in written.graph.initializer if np.prod(weight.dims) > 1000}
    assert {TensorProto.INT8, TensorProto.FLOAT16} <= kinds


def test_int8_is_served_as_it_was_compared(spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWARDEN_CACHE", str(tmp_path))
    weights = weights_of(spec)
    assert main([NAME, "--to", "int8", "--rows", "3", "--calibration-rows", "6", "--keep"]) == 0
    wishes = Wishes(WeightPlaces(tmp_path / "model", tmp_path), device="cpu", precision="int8")
    rows = frames_of(GOLDEN, spec, 3)
    assert isinstance(rows, Frames)
    with ThreadPoolExecutor(1) as executor:
        placed = place_model(spec, weights, wishes, executor, 1)
        scores = placed.model.run({"pixels": rows.pixels})["scores"]
    assert placed.precision == "int8"
    np.testing.assert_allclose(scores, runner(simplified(weights))("pixels", rows.pixels)["scores"], atol=0.05)


def test_int8_files_have_float_biases_which_is_what_tensorrt_takes(spec: ModelSpec, plain: onnx.ModelProto) -> None:
    quantized = in_precision(spec, plain, "int8", GOLDEN, most_rows=2)
    assert float_biases(quantized)
    assert any(weight.data_type == TensorProto.INT8 for weight in quantized.graph.initializer)


def test_the_file_runs_as_serving_runs_it(spec: ModelSpec, plain: onnx.ModelProto) -> None:
    rows = frames_of(GOLDEN, spec, 5)
    assert isinstance(rows, Frames)
    whole = onnxruntime.InferenceSession(str(weights_of(spec)), providers=["CPUExecutionProvider"])
    expected = whole.run(["scores"], {"pixels": rows.pixels})[0]
    np.testing.assert_allclose(runner(plain)("pixels", rows.pixels)["scores"], expected, atol=1e-5)


def test_sound_is_tried_in_windows_of_the_network() -> None:
    spec = find_spec("sounds/yamnet")
    rows = frames_of(GOLDEN, spec, 4)
    assert isinstance(rows, SoundWindows)
    assert rows.samples.shape == (4, 15600)
    assert np.abs(rows.samples).max() > 0.01


def test_network_rows_are_what_the_front_in_serving_computes() -> None:
    from serve.backends.front import with_uint8_front

    spec = find_spec("moderation/opennsfw")
    rows = frames_of(GOLDEN, spec, 3)
    assert isinstance(rows, Frames)
    fronted = onnxruntime.InferenceSession(with_uint8_front(spec, weights_of(spec)), providers=["CPUExecutionProvider"])
    bare = onnxruntime.InferenceSession(str(weights_of(spec)), providers=["CPUExecutionProvider"])
    name = spec.sees().name
    np.testing.assert_allclose(
        bare.run(None, {name: network_rows(spec, rows.pixels)})[0], fronted.run(None, {name: rows.pixels})[0], atol=1e-5
    )


def test_lost_boxes_are_counted_and_moved_scores_are_measured() -> None:
    spec = find_spec("objects/nanodet_g_416")
    rows = frames_of(GOLDEN, spec, 3)
    assert isinstance(rows, Frames)
    outputs = runner(simplified(weights_of(spec)))("pixels", rows.pixels)
    same = compare(spec, "fp16", rows, outputs, outputs)
    assert (same.moved, same.boxes_lost_or_new, same.passed) == (0.0, 0, True)
    assert same.boxes
    lower = compare(spec, "fp16", rows, outputs, {**outputs, "scores": outputs["scores"] * 0.9})
    assert lower.scores_moved == pytest.approx(float(np.max(outputs["scores"])) * 0.1, rel=0.2)
    none = compare(spec, "fp16", rows, outputs, {**outputs, "scores": outputs["scores"] * 0})
    assert none.boxes_lost_or_new
    assert not lower.passed


def test_an_unknown_model_is_named_with_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["objects/yolo", "--to", "fp16"]) == UsageError.exit_code
    assert "objects/nanodet_g_416" in capsys.readouterr().err


@needs_tensorrt
@pytest.mark.parametrize("sm", [75, 86])
def test_an_engine_is_built_for_a_gpu_that_is_not_there(spec: ModelSpec, plain: onnx.ModelProto, sm: int) -> None:
    engine = build(in_precision(spec, plain, "fp16", GOLDEN).SerializeToString(), spec, Aim(sm))
    assert len(engine.plan) > 1_000_000
    assert engine.library.startswith("tensorrt_rtx 1.7")


@needs_tensorrt
def test_what_tensorrt_does_not_know_is_said(spec: ModelSpec) -> None:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("NoSuchOperator", ["pixels"], ["scores"])],
        "strange",
        [value("pixels", TensorProto.FLOAT, ["N", 3])],
        [value("scores", TensorProto.FLOAT, ["N", 3])],
    )
    with pytest.raises(WeightsError, match=r"TensorRT's parser refuses it: .*NoSuchOperator"):
        build(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString(), spec, Aim(75))


@needs_tensorrt
def test_a_gpu_that_it_cannot_build_for_is_named(spec: ModelSpec, plain: onnx.ModelProto) -> None:
    with pytest.raises(UsageError, match="sm 90: TensorRT-RTX builds for SM75, SM80"):
        build(plain.SerializeToString(), spec, Aim(90))


def test_without_tensorrt_the_message_says_how_to_get_it(
    spec: ModelSpec, plain: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tensorrt", "tensorrt_bindings", "tensorrt_libs", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"tensorrt_rtx is not installed: `uv sync --group tensorrt`"):
        build(plain.SerializeToString(), spec, Aim(75))
    with pytest.raises(UsageError, match=r"tensorrt is not installed"):
        build(plain.SerializeToString(), spec)
