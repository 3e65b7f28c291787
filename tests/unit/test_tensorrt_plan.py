"""TensorRT plans up to the device: profiles, padding, addresses and refusals, the CPU standing in for the engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from model_zoo.errors import BackendError, DeviceLostError
from model_zoo.manifest import Batch, ModelSpec
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
    assert len(memory.allocated) == taken == 2


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


def test_a_full_memory_is_an_error_that_names_the_fix(tmp_path: Path) -> None:
    model, _, memory = opened(network(tmp_path), MANY)
    memory.fits = 100
    with pytest.raises(BackendError, match=r"memory is full with a batch of 4 .*run fewer domains"):
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
