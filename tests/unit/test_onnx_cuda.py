"""ONNX Runtime's GPU backend up to the device: everything but the kernels, with the CPU standing in for the device."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from model_zoo.errors import BackendError, DeviceLostError
from model_zoo.manifest import Batch
from serve.backends import on_gpu, onnx_cuda
from serve.backends.choose import place_model
from serve.backends.onnx_cuda import OnnxCudaModel, Target
from serve.backends.place import Wishes
from serve.devices import Gpu, Look
from tests.contract.test_every_backend import SIZE, mean_of_channels, spec_of
from tests.unit.weights_fixtures import places_in

HOST = Target(provider="CPUExecutionProvider", memory="cpu")
SPEC = spec_of().model_copy(update={"batch": Batch(best=4, most=16)})
T4 = Look(Gpu("Tesla T4", 75, 16 << 30, 12_080), "found Tesla T4")


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return mean_of_channels(tmp_path / "mean.onnx", TensorProto.UINT8, [1, 2], ["batch", SIZE, SIZE, 3])


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)


class Card:
    """A session on a card with little memory: calls of more rows than fit fail as CUDA's allocator fails."""

    def __init__(self, session: onnxruntime.InferenceSession, fits: int) -> None:
        self._session, self._fits = session, fits
        self.sizes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run_with_iobinding(self, binding: Any, options: Any) -> None:
        """Run, or fail as CUDA's allocator does."""
        self._session.run_with_iobinding(binding, options)
        rows = binding.get_outputs()[0].shape()[0]
        self.sizes.append(rows)
        if rows > self._fits:
            raise RuntimeError(
                "[ONNXRuntimeError] : 1 : FAIL : bfc_arena.cc:376 AllocateRawInternal "
                "Failed to allocate memory for requested buffer of size 12582912\nmore"
            )


def model_on_a_card(network: Path, fits: int) -> tuple[OnnxCudaModel, Card]:
    model = OnnxCudaModel(SPEC, network, HOST)
    card = Card(model._session, fits)
    model._session = card  # type: ignore[assignment]
    return model, card


def test_batches_are_padded_to_a_few_sizes_and_the_padding_is_not_seen(network: Path) -> None:
    model, card = model_on_a_card(network, fits=99)
    for count in (1, 2, 3, 5, 7, 9, 16, 17, 35, 5, 3):
        scores = model.run({"pixels": noise(count)})["scores"]
        np.testing.assert_allclose(scores, noise(count).mean(axis=(1, 2)), rtol=1e-5)
    assert set(card.sizes) == {1, 2, 4, 8, 16}


def test_a_full_memory_halves_the_batch_and_says_so(network: Path) -> None:
    model, card = model_on_a_card(network, fits=5)
    assert model.notes == ""
    scores = model.run({"pixels": noise(21)})["scores"]
    np.testing.assert_allclose(scores, noise(21).mean(axis=(1, 2)), rtol=1e-5)
    assert card.sizes == [16, 8, 4, 4, 4, 4, 4, 1]
    assert model.notes == "the GPU's memory was full, so at most 4 rows are run at once"
    model.run({"pixels": noise(9)})
    assert max(card.sizes[8:]) == 4


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ("BFCArena::AllocateRawInternal Available memory of 1024 is smaller than requested bytes of 2048", "raise"),
        ("bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 12582912", "lower"),
        ("CUDA failure 2: out of memory ; GPU=0", "lower"),
        ("CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0", "lower"),
        ("CUDNN failure 4002: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ; GPU=0", "lower"),
    ],
)
def test_a_memory_too_small_for_one_row_is_an_error_that_names_the_fix(network: Path, words: str, fix: str) -> None:
    model, card = model_on_a_card(network, fits=0)

    def full(binding: Any, options: Any) -> None:
        raise RuntimeError(words)

    card.run_with_iobinding = full  # type: ignore[method-assign]
    with pytest.raises(BackendError, match=rf"full with a batch of 1 .*or {fix} REELWARDEN_GPU_MEMORY_SHARE"):
        model.run({"pixels": noise(3)})


def test_other_failures_are_not_taken_for_a_full_memory(network: Path) -> None:
    model, card = model_on_a_card(network, fits=99)
    card.run_with_iobinding = lambda binding, options: 1 / 0  # type: ignore[method-assign]
    with pytest.raises(BackendError, match="inference failed on"):
        model.run({"pixels": noise(3)})
    assert model.notes == ""


def test_a_gpu_that_fails_for_good_is_lost_and_not_a_failure_of_one_domain(network: Path) -> None:
    model, card = model_on_a_card(network, fits=99)

    def fails(binding: Any, options: Any) -> None:
        raise RuntimeError("CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=x")

    card.run_with_iobinding = fails  # type: ignore[method-assign]
    with pytest.raises(DeviceLostError, match="mean: the GPU failed for good: CUDA failure 700"):
        model.run({"pixels": noise(3)})


class Lost:
    """Rows on a GPU that fails while they are waited for."""

    shape, dtype, address, room = (3, SIZE, SIZE, 3), np.dtype(np.uint8), 0, 3

    def __len__(self) -> int:
        return 3

    def wait(self, stream: int | None) -> None:
        """Fail as CuPy does on a context that is broken."""
        raise RuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered")

    def copy(self, first: int, count: int, address: int, stream: int | None) -> None:
        """Be asked for nothing, as waiting has failed."""
        raise AssertionError("nothing is there to be copied")

    def on_host(self) -> np.ndarray:
        """Be asked for nothing, as waiting has failed."""
        raise AssertionError("nothing is there to be copied")


def test_a_gpu_that_fails_while_a_batch_is_waited_for_is_lost_too(network: Path) -> None:
    model, _ = model_on_a_card(network, fits=99)
    with pytest.raises(DeviceLostError, match="mean: the GPU failed for good: cudaErrorIllegalAddress"):
        model.run({"pixels": Lost()})


def test_the_memory_of_a_gpu_is_shared_among_the_models(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Target] = []

    class Noted(OnnxCudaModel):
        def __init__(self, spec: Any, path: Any, target: Target) -> None:
            told.append(target)
            raise BackendError("noted")

    monkeypatch.setattr(on_gpu, "OnnxCudaModel", Noted)
    monkeypatch.setattr(on_gpu, "why_no_cuda", lambda: None)
    with ThreadPoolExecutor(1) as executor:
        place_model(
            SPEC,
            network,
            Wishes(places_in(network.parent), memory_share=0.7, models=7, tensorrt="off"),
            executor,
            1,
            T4,
        )
    providers = told[0].providers()
    assert providers[0][0] == "CUDAExecutionProvider"
    assert int(providers[0][1]["gpu_mem_limit"]) == int((16 << 30) * 0.7 / 7)
    assert providers[0][1]["arena_extend_strategy"] == "kSameAsRequested"
    assert "user_compute_stream" not in providers[0][1]
    assert told[0].providers(stream=140_000)[0][1]["user_compute_stream"] == "140000"


def place(network: Path, device: Any, look: Look) -> Any:
    with ThreadPoolExecutor(1) as executor:
        return place_model(
            SPEC, network, Wishes(places_in(network.parent), device=device, tensorrt="off"), executor, 1, look
        )


def test_without_a_gpu_a_model_runs_on_the_cpu_and_says_why(network: Path) -> None:
    placed = place(network, "auto", Look(None, "no NVIDIA driver was found"))
    assert placed.device == "cpu"
    assert placed.reason == "cpu: no NVIDIA driver was found; onnxruntime: the only backend"


def test_with_a_gpu_and_the_cpus_onnxruntime_it_says_what_to_install(network: Path) -> None:
    if onnx_cuda.PROVIDER in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime can use GPUs")
    placed = place(network, "auto", T4)
    assert placed.device == "cpu"
    assert "is built for the CPU; install onnxruntime-gpu instead of it" in placed.reason


@pytest.mark.parametrize("look", [Look(None, "no NVIDIA driver was found"), T4], ids=["no driver", "no library"])
def test_insisting_on_a_gpu_that_cannot_be_used_is_refused(network: Path, look: Look) -> None:
    if look is T4 and onnx_cuda.PROVIDER in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime can use GPUs")
    with pytest.raises(BackendError, match=r"device=cuda: mean cannot run on a GPU: .*set device=auto to use the CPU"):
        place(network, "cuda", look)


def test_a_provider_that_silently_gave_up_is_noticed(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime warns and goes on with the CPU when CUDA's libraries are missing."""
    monkeypatch.setattr(Target, "providers", lambda self, stream: ["CPUExecutionProvider"])
    with pytest.raises(BackendError, match="could not start its CUDA provider"):
        OnnxCudaModel(SPEC, network, Target())
