"""CUDA graphs of ONNX Runtime up to the device: captured at load by one thread, or given up with the reason."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from model_zoo.errors import DeviceLostError
from model_zoo.manifest import Batch
from serve.backends import onnx_cuda
from serve.backends.graphs import batch_sizes
from serve.backends.onnx_cuda import OnnxCudaModel, Target
from serve.backends.onnx_graphs import OnnxGraphModel
from tests import stand_in_onnxruntime
from tests.contract.test_every_backend import SIZE, mean_of_channels, spec_of
from tests.stand_in_onnxruntime import GRAPHS, Told

SPEC = spec_of().model_copy(update={"batch": Batch(best=4, most=12)})


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return mean_of_channels(tmp_path / "mean.onnx", TensorProto.UINT8, [1, 2], ["batch", SIZE, SIZE, 3])


@pytest.fixture
def broken() -> set[str]:
    return set()


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch, broken: set[str]) -> Told:
    return stand_in_onnxruntime.install(monkeypatch, broken)


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)


def check(model: Any, counts: tuple[int, ...] = (1, 2, 3, 5, 12, 30, 7, 1)) -> None:
    for count in counts:
        scores = model.run({"pixels": noise(count)})["scores"]
        np.testing.assert_allclose(scores, noise(count).mean(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize(
    ("most", "sizes"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (12, [1, 2, 4, 8, 12]), (16, [1, 2, 4, 8, 16])]
)
def test_a_graph_is_captured_for_each_size_that_batches_are_padded_to(most: int, sizes: list[int]) -> None:
    assert batch_sizes(most) == sizes


def test_graphs_are_captured_at_load_and_started_by_the_same_thread_whoever_calls(network: Path) -> None:
    model = OnnxGraphModel(SPEC, network, Target())
    captured = list(GRAPHS.captured)
    assert [size for _, size in captured] == ["1", "2", "4", "8", "12"]
    assert len({thread for thread, _ in captured}) == 1
    GRAPHS.started.clear()
    with ThreadPoolExecutor(4) as callers:
        list(callers.map(lambda _: check(model), range(4)))
    assert GRAPHS.captured == captured
    assert set(GRAPHS.started) == set(captured)
    assert model.notes == ""


def test_models_that_are_loaded_at_once_capture_one_after_the_other(network: Path) -> None:
    with ThreadPoolExecutor(3) as loaders:
        models = list(loaders.map(lambda _: OnnxGraphModel(SPEC, network, Target()), range(3)))
    for model in models:
        assert model.notes == ""
        check(model)


def test_a_session_that_knows_no_graphs_is_opened_without_and_says_so(network: Path, broken: set[str]) -> None:
    broken.add("graphs")
    model = OnnxGraphModel(SPEC, network, Target())
    assert model.notes == (
        "without CUDA graphs: mean: ONNX Runtime cannot load it: "
        "This session cannot use the graph capture feature as requested"
    )
    check(model)
    assert GRAPHS.started == []


def test_a_capture_that_fails_is_ended_and_the_model_runs_without(
    network: Path, broken: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A capture that nobody ends would keep the whole process from taking memory of the GPU."""
    ended: list[int] = []
    runtime = SimpleNamespace(
        streamEndCapture=lambda stream: ended.append(stream) or 1, graphDestroy=lambda graph: None
    )
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))
    monkeypatch.setattr(onnx_cuda, "new_stream", lambda: SimpleNamespace(ptr=7))
    broken.add("capture")
    model = OnnxGraphModel(SPEC, network, Target())
    assert ended == [7]
    assert model.notes.startswith("without CUDA graphs: mean: inference failed on (1, 8, 8, 3): CUDA failure 901")
    check(model)


def test_graphs_that_answer_otherwise_are_not_used(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def goes_wrong(bound: onnx_cuda._Bound) -> None:
        monkeypatch.setattr(bound, "run", lambda rows: [np.zeros((len(rows), 3), np.float32)], raising=False)

    monkeypatch.setattr(onnx_cuda._Bound, "capture_next", goes_wrong)
    model = OnnxGraphModel(SPEC, network, Target())
    assert model.notes == "without CUDA graphs: mean: its graph's answers differ by 1 of their largest value"


def test_a_network_that_takes_any_size_runs_without_graphs(tmp_path: Path) -> None:
    path = mean_of_channels(tmp_path / "mean.onnx", TensorProto.UINT8, [1, 2], ["batch", SIZE, "width", 3])
    model = OnnxGraphModel(spec_of(width=0), path, Target())
    assert model.notes == "without CUDA graphs: mean takes rows of any size"
    check(model)


def test_a_gpu_that_is_lost_is_not_tried_again(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(self: OnnxCudaModel) -> None:
        raise DeviceLostError("gone")

    monkeypatch.setattr(OnnxCudaModel, "capture", lost)
    with pytest.raises(DeviceLostError):
        OnnxGraphModel(SPEC, network, Target())


def test_after_a_full_memory_the_graphs_of_smaller_batches_still_answer_right(network: Path) -> None:
    model = OnnxGraphModel(SPEC, network, Target())
    model._model._halve(MemoryError("full"))
    check(model)
    assert model.notes == "the GPU's memory was full, so at most 6 rows are run at once"
    assert {size for _, size in GRAPHS.captured} == {"1", "2", "4", "8", "12"}
