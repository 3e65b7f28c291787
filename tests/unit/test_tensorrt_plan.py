"""TensorRT plans up to the device: profiles, padding, addresses and refusals, the CPU standing in for the engine."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from onnx import TensorProto

from model_zoo.errors import BackendError, DeviceLostError
from model_zoo.manifest import Batch, ModelSpec
from serve.backends.plan_memory import GpuMemory
from serve.backends.tensorrt_plan import TensorrtPlanModel
from tests import stand_in_tensorrt
from tests.contract.test_every_backend import SIZE, mean_of_channels, spec_of
from tests.stand_in_tensorrt import ENGINES, Context, HostMemory, plan_of
from tests.twin import HostPainter, HostRows

ONE = {"pixels": [[1, SIZE, SIZE, 3]] * 3}
MANY = {"pixels": [[2, SIZE, SIZE, 3], [8, SIZE, SIZE, 3], [12, SIZE, SIZE, 3]]}
SPEC = spec_of().model_copy(update={"batch": Batch(best=4, most=12)})


def network(folder: Path, width: int | str = SIZE) -> bytes:
    return mean_of_channels(folder / "mean.onnx", TensorProto.UINT8, [1, 2], ["batch", SIZE, width, 3]).read_bytes()


def opened(
    content: bytes, *profiles: dict[str, list[list[int]]], spec: ModelSpec = SPEC
) -> tuple[TensorrtPlanModel, Context, HostMemory]:
    memory = HostMemory()
    model = TensorrtPlanModel(spec, plan_of(content, list(profiles)), stand_in_tensorrt.module(), memory)
    return model, ENGINES[-1].contexts[0], memory


def noise(count: int, width: int = SIZE) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, SIZE, width, 3), np.uint8)


def test_a_batch_is_cut_and_padded_to_what_the_profiles_take(tmp_path: Path) -> None:
    model, context, _ = opened(network(tmp_path), ONE, MANY)
    for count in (1, 2, 3, 5, 12, 13, 30):
        scores = model.run({"pixels": noise(count)})["scores"]
        np.testing.assert_allclose(scores, noise(count).mean(axis=(1, 2)), rtol=1e-5)
    assert [shape[0] for shape in context.shapes] == [1, 2, 4, 8, 12, 12, 1, 12, 12, 8]


def test_the_profile_with_the_nearest_usual_batch_is_taken(tmp_path: Path) -> None:
    model, context, _ = opened(network(tmp_path), ONE, MANY)
    for count in (1, 8, 8, 1):
        model.run({"pixels": noise(count)})
    assert context.switches == [1, 0]


def test_rows_that_lie_on_the_device_are_not_copied_to_the_host(tmp_path: Path) -> None:
    model, context, _ = opened(network(tmp_path), ONE, MANY)
    block = HostPainter().allocate(noise(15).nbytes)
    block.array[:] = noise(15).reshape(-1)
    rows = HostRows(block, (14, SIZE, SIZE, 3))
    np.testing.assert_allclose(model.run({"pixels": rows})["scores"], noise(15)[:14].mean(axis=(1, 2)), rtol=1e-5)
    assert rows.fetched == 0
    assert [shape[0] for shape in context.shapes] == [12, 2]


def test_a_batch_below_the_least_is_padded_up_to_it(tmp_path: Path) -> None:
    model, context, _ = opened(network(tmp_path), MANY)
    np.testing.assert_allclose(model.run({"pixels": noise(1)})["scores"], noise(1).mean(axis=(1, 2)), rtol=1e-5)
    assert model.run({"pixels": noise(0)})["scores"].shape == (0, 3)
    assert [shape[0] for shape in context.shapes] == [2, 2]


def test_memory_is_taken_once_for_batches_that_do_not_grow(tmp_path: Path) -> None:
    model, _, memory = opened(network(tmp_path), ONE, MANY)
    model.run({"pixels": noise(12)})
    taken = len(memory.allocated)
    for count in (1, 5, 12, 9):
        model.run({"pixels": noise(count)})
    assert len(memory.allocated) == taken == 3  # what the engine works in, the input, the output


def test_pictures_of_any_width_are_taken_within_the_profile_and_refused_outside(tmp_path: Path) -> None:
    wide = {"pixels": [[1, SIZE, 4, 3], [4, SIZE, 16, 3], [8, SIZE, 32, 3]]}
    model, _, _ = opened(network(tmp_path, "width"), wide, spec=spec_of(width=0))
    for width in (4, 17, 32):
        rows = noise(3, width)
        np.testing.assert_allclose(model.run({"pixels": rows})["scores"], rows.mean(axis=(1, 2)), rtol=1e-5)
    with pytest.raises(BackendError, match=r"its engine takes 1x8x4x3:4x8x16x3:8x8x32x3, got rows of \(8, 33, 3\)"):
        model.run({"pixels": noise(1, 33)})


def test_a_plan_of_another_version_is_refused_with_tensorrts_own_words(tmp_path: Path) -> None:
    plan = plan_of(network(tmp_path), [MANY], version="10.9.0.34")
    with pytest.raises(BackendError, match=r"cannot load its engine: engine of version 10\.9\.0\.34, expecting 10\.16"):
        TensorrtPlanModel(SPEC, plan, stand_in_tensorrt.module(), HostMemory())


def test_a_plan_with_other_outputs_than_the_manifests_is_refused(tmp_path: Path) -> None:
    spec = SPEC.model_copy(update={"outputs": ("boxes",)})
    with pytest.raises(BackendError, match=r"its engine takes \['pixels'\] and gives \['scores'\]; build it again"):
        opened(network(tmp_path), MANY, spec=spec)


def test_a_full_memory_halves_the_batch_and_says_so(tmp_path: Path) -> None:
    model, _, memory = opened(network(tmp_path), ONE, MANY)
    memory.fits = noise(5).nbytes
    scores = model.run({"pixels": noise(21)})["scores"]
    np.testing.assert_allclose(scores, noise(21).mean(axis=(1, 2)), rtol=1e-5)
    assert model.notes == "the GPU's memory was full, so at most 3 rows are run at once"
    sizes = [shape[0] for context in ENGINES[-1].contexts for shape in context.shapes]
    assert sizes == [3] * 7


def test_a_full_memory_goes_on_below_a_gap_between_profiles(tmp_path: Path) -> None:
    many = {"pixels": [[8, SIZE, SIZE, 3], [8, SIZE, SIZE, 3], [12, SIZE, SIZE, 3]]}
    model, _, memory = opened(network(tmp_path), ONE, many)
    memory.fits = noise(5).nbytes
    np.testing.assert_allclose(model.run({"pixels": noise(9)})["scores"], noise(9).mean(axis=(1, 2)), rtol=1e-5)
    assert model.notes == "the GPU's memory was full, so at most 1 rows are run at once"


def test_a_memory_too_small_for_the_least_batch_is_an_error_that_names_the_fix(tmp_path: Path) -> None:
    model, _, memory = opened(network(tmp_path), MANY)
    memory.fits = 100
    with pytest.raises(BackendError, match=r"memory is full with a batch of 2 .*run fewer domains"):
        model.run({"pixels": noise(3)})
    memory.fits = 1 << 40
    assert len(model.run({"pixels": noise(3)})["scores"]) == 3


def test_a_gpu_that_fails_while_answers_are_fetched_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _, memory = opened(network(tmp_path), MANY)

    def fails(*_: object) -> np.ndarray:
        raise RuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered")

    monkeypatch.setattr(memory, "fetch", fails)
    with pytest.raises(DeviceLostError, match="mean: the GPU failed for good: cudaErrorIllegalAddress"):
        model.run({"pixels": noise(3)})


@pytest.mark.parametrize(("most_bytes", "fits"), [(4095, 1 << 40), (1 << 40, 4095)])
def test_an_engine_that_works_in_more_memory_than_its_part_is_refused(
    tmp_path: Path, most_bytes: int, fits: int
) -> None:
    memory = HostMemory()
    memory.fits = fits
    plan, trt = plan_of(network(tmp_path), [MANY]), stand_in_tensorrt.module()
    with pytest.raises(BackendError, match=r"raise REELWARDEN_GPU_MEMORY_SHARE|memory does not hold its engine"):
        TensorrtPlanModel(SPEC, plan, trt, memory, most_bytes=most_bytes)


def with_graphs(content: bytes, memory: HostMemory, spec: ModelSpec = SPEC) -> TensorrtPlanModel:
    return TensorrtPlanModel(spec, plan_of(content, [ONE, MANY]), stand_in_tensorrt.module(), memory, graphs=True)


def test_a_graph_is_captured_for_each_size_of_batch_at_load_and_started_ever_after(tmp_path: Path) -> None:
    memory = HostMemory()
    model = with_graphs(network(tmp_path), memory)
    assert memory.captured == 5  # 1, 2, 4, 8, 12
    taken = len(memory.allocated)
    for count in (1, 2, 3, 5, 12, 13, 30, 1):
        scores = model.run({"pixels": noise(count)})["scores"]
        np.testing.assert_allclose(scores, noise(count).mean(axis=(1, 2)), rtol=1e-5)
    assert (memory.captured, memory.started) == (5, 11)
    assert len(memory.allocated) == taken
    assert model.notes == ""
    contexts = ENGINES[-1].contexts
    assert len({context.works_in for context in contexts}) == 1, "contexts run in turn, and share what they work in"


def test_rows_on_the_device_are_run_by_graphs_too(tmp_path: Path) -> None:
    memory = HostMemory()
    model = with_graphs(network(tmp_path), memory)
    block = HostPainter().allocate(noise(15).nbytes)
    block.array[:] = noise(15).reshape(-1)
    rows = HostRows(block, (14, SIZE, SIZE, 3))
    np.testing.assert_allclose(model.run({"pixels": rows})["scores"], noise(15)[:14].mean(axis=(1, 2)), rtol=1e-5)
    assert (rows.fetched, memory.started) == (0, 2)


@pytest.mark.parametrize("captures_at_most", [0, 3])
def test_a_capture_that_fails_leaves_a_plan_that_runs_without_graphs(tmp_path: Path, captures_at_most: int) -> None:
    memory = HostMemory()
    memory.captures_at_most = captures_at_most
    model = with_graphs(network(tmp_path), memory)
    said = "without CUDA graphs: cudaErrorStreamCaptureUnsupported: operation not permitted"
    assert model.notes == said
    np.testing.assert_allclose(model.run({"pixels": noise(5)})["scores"], noise(5).mean(axis=(1, 2)), rtol=1e-5)
    assert memory.started == 0


def test_a_plan_that_takes_any_width_captures_no_graphs(tmp_path: Path) -> None:
    wide = {"pixels": [[1, SIZE, 4, 3], [4, SIZE, 16, 3], [8, SIZE, 32, 3]]}
    plan, memory = plan_of(network(tmp_path, "width"), [wide]), HostMemory()
    model = TensorrtPlanModel(spec_of(width=0), plan, stand_in_tensorrt.module(), memory, graphs=True)
    assert model.notes == "without CUDA graphs: it takes rows of any size"
    assert memory.captured == 0


def test_cupy_is_told_to_capture_for_this_thread_only_and_ends_a_capture_that_breaks_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[tuple[str, object]] = []

    class Stream:
        ptr = 7

        def __init__(self, non_blocking: bool) -> None: ...

        def synchronize(self) -> None:
            done.append(("waited", None))

        def begin_capture(self, mode: int) -> None:
            done.append(("begun", mode))

        def end_capture(self) -> object:
            done.append(("ended", None))
            return SimpleNamespace(launch=lambda stream: done.append(("launched", stream.ptr)))

    runtime = SimpleNamespace(
        streamCaptureModeThreadLocal=1,
        streamEndCapture=lambda stream: done.append(("broken off", stream)) or 3,
        graphDestroy=lambda graph: done.append(("destroyed", graph)),
    )
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(Stream=Stream, runtime=runtime)))
    memory = GpuMemory()
    memory.capture(lambda: done.append(("worked", None)))()
    assert done == [("waited", None), ("begun", 1), ("worked", None), ("ended", None), ("launched", 7)]
    done.clear()
    with pytest.raises(ZeroDivisionError):
        memory.capture(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    assert done == [("waited", None), ("begun", 1), ("broken off", 7), ("destroyed", 3)]
