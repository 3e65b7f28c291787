"""What every inference backend must do; a new backend joins by one entry in BACKENDS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from model_zoo.errors import BackendError
from model_zoo.manifest import Input, Licence, ModelSpec
from model_zoo.values import Model
from serve.backends.fake import FakeModel
from serve.backends.onnx import OnnxModel

SIZE = 8
Open = Callable[[Path, ThreadPoolExecutor], Model]


def spec_of(**changes: object) -> ModelSpec:
    wanted: dict[str, object] = {"name": "pixels", "width": SIZE, "height": SIZE, "fit": "stretch"} | changes
    return ModelSpec(
        name="mean",
        domain="test",
        manifest=Path("models.toml"),
        role="test",
        title="mean of each channel",
        decoder="none",
        sources=("file:mean.onnx",),
        sha256="0" * 64,
        size_bytes=1,
        licence=Licence(weights="Apache-2.0", code="Apache-2.0", commercial=True),
        input=Input.model_validate(wanted),
        outputs=("scores",),
    )


def mean_of_channels(path: Path, dtype: int, axes: list[int], shape: list[str | int]) -> Path:
    """Write a network whose one output is the mean of each channel, (N, 3)."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["scores"], axes=axes, keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("pixels", dtype, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 3])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def onnx_backend(folder: Path, executor: ThreadPoolExecutor) -> Model:
    path = mean_of_channels(folder / "mean.onnx", TensorProto.UINT8, [1, 2], ["batch", SIZE, SIZE, 3])
    return OnnxModel(spec_of(), path, executor, threads=2)


def onnx_backend_with_front(folder: Path, executor: ThreadPoolExecutor) -> Model:
    path = mean_of_channels(folder / "mean.onnx", TensorProto.FLOAT, [2, 3], ["batch", 3, SIZE, SIZE])
    return OnnxModel(spec_of(dtype="float32", layout="NCHW"), path, executor, threads=2)


def fake_backend(folder: Path, executor: ThreadPoolExecutor) -> Model:
    return FakeModel(spec_of(), {"scores": lambda pixels: pixels.astype(np.float32).mean(axis=(1, 2))})


BACKENDS: dict[str, Open] = {
    "onnxruntime": onnx_backend,
    "onnxruntime with a front": onnx_backend_with_front,
    "fake": fake_backend,
}


@pytest.fixture(params=BACKENDS)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Model]:
    with ThreadPoolExecutor(2) as executor:
        yield BACKENDS[request.param](tmp_path, executor)


def pixels_of(rows: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (rows, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 8, 9, 33])
def test_a_batch_gives_the_same_rows_as_its_frames_one_by_one(model: Model, rows: int) -> None:
    pixels = pixels_of(rows)
    together = model.run({"pixels": pixels})["scores"]
    alone = np.concatenate([model.run({"pixels": pixels[n : n + 1]})["scores"] for n in range(rows)])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    np.testing.assert_allclose(together, pixels.mean(axis=(1, 2)), rtol=1e-5)


def test_an_empty_batch_gives_an_empty_answer(model: Model) -> None:
    assert model.run({"pixels": pixels_of(0)})["scores"].shape == (0, 3)


def test_many_threads_may_call_one_model_at_once(model: Model) -> None:
    batches = [pixels_of(rows) for rows in (1, 5, 16, 3)] * 4
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda pixels: model.run({"pixels": pixels})["scores"], batches))
    for pixels, answer in zip(batches, answers, strict=True):
        np.testing.assert_allclose(answer, pixels.mean(axis=(1, 2)), rtol=1e-5)


def test_pixels_are_not_changed_by_inference(model: Model) -> None:
    pixels = pixels_of(5)
    before = pixels.copy()
    model.run({"pixels": pixels})
    assert np.array_equal(pixels, before)


def test_a_wrong_input_name_is_named_in_the_error(model: Model) -> None:
    with pytest.raises(BackendError, match=r"takes the input 'pixels', got \['image'\]"):
        model.run({"image": pixels_of(1)})


def test_a_network_that_takes_any_width_is_run_at_each(tmp_path: Path) -> None:
    path = mean_of_channels(tmp_path / "mean.onnx", TensorProto.FLOAT, [2, 3], ["batch", 3, SIZE, "width"])
    with ThreadPoolExecutor(2) as executor:
        model = OnnxModel(spec_of(width=0, dtype="float32", layout="NCHW"), path, executor, threads=2)
        for width in (1, 5, 24):
            pixels = np.random.default_rng(7).integers(0, 256, (3, SIZE, width, 3), np.uint8)
            np.testing.assert_allclose(model.run({"pixels": pixels})["scores"], pixels.mean(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, SIZE + 1, 5, 3), (1, SIZE, 0, 3), (1, SIZE, 5, 4), (SIZE, 5, 3)])
def test_where_any_width_is_taken_the_rest_of_the_shape_still_counts(shape: tuple[int, ...]) -> None:
    model = FakeModel(spec_of(width=0), {})
    with pytest.raises(BackendError, match=r"takes uint8 \(N, 8, any, 3\), got"):
        model.run({"pixels": np.zeros(shape, np.uint8)})


@pytest.mark.parametrize(
    "pixels", [np.zeros((1, SIZE, SIZE, 3), np.float32), np.zeros((1, SIZE, SIZE + 1, 3), np.uint8)]
)
def test_a_wrong_type_or_shape_is_named_in_the_error(model: Model, pixels: np.ndarray) -> None:
    with pytest.raises(BackendError, match=r"takes uint8 \(N, 8, 8, 3\), got"):
        model.run({"pixels": pixels})
