"""Choose where a model runs, and say why."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model_zoo.errors import BackendError
from model_zoo.manifest import ModelSpec
from model_zoo.values import Model
from serve.backends.ctranslate2 import Ctranslate2Model, compute_type
from serve.backends.onnx import OnnxModel
from serve.backends.onnx_cuda import OnnxCudaModel, Target, why_no_cuda
from serve.devices import Gpu, Look, look_for_gpu

Device = Literal["auto", "cpu", "cuda"]
_WHY_CTRANSLATE2 = "ctranslate2: what runs weights of this format"


@dataclass(frozen=True, slots=True)
class Placed:
    """A loaded model, and where it runs for which reason."""

    model: Model
    backend: str
    device: str
    reason: str
    precision: str = "fp32"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the settings say of where models run."""

    device: Device = "auto"
    backend: str = "auto"
    memory_share: float = 0.7  # of a GPU's memory that all models together may hold
    graphs: bool = False
    models: int = 1  # that share it


def place_model(
    spec: ModelSpec, path: Path, wishes: Wishes, executor: Executor, threads: int, look: Look | None = None
) -> Placed:  # fmt: skip
    """Load a model on the GPU where there is one, or on the CPU; raises BackendError when it cannot be loaded.

    The format of the weights says what can run them. With `device="cuda"` a model is refused where it would have to run
    on the CPU.
    """
    on_gpu, on_cpu = _on_gpu, _on_cpu
    if spec.format == "ctranslate2":
        on_gpu, on_cpu = _speech_on_gpu, _speech_on_cpu
    if wishes.device == "cpu":
        return on_cpu(spec, path, wishes, executor, threads, "cpu: asked for by the setting")
    found = look or look_for_gpu()
    reason = found.reason
    if found.gpu is not None:
        try:
            return on_gpu(spec, path, wishes, threads, found.gpu)
        except BackendError as error:
            reason = f"{found.gpu.name} could not be used: {error}"
    if wishes.device == "cuda":
        raise BackendError(f"device=cuda: {spec.name} cannot run on a GPU: {reason}; set device=auto to use the CPU")
    return on_cpu(spec, path, wishes, executor, threads, f"cpu: {reason}")


def _on_gpu(spec: ModelSpec, path: Path, wishes: Wishes, threads: int, gpu: Gpu) -> Placed:
    if reason := why_no_cuda():
        raise BackendError(reason)
    most_bytes = int(gpu.memory_bytes * wishes.memory_share / max(1, wishes.models))
    model = OnnxCudaModel(spec, path, Target(most_bytes=most_bytes, graphs=wishes.graphs))
    return Placed(model, "onnxruntime", "cuda", f"cuda: {gpu.name}; {_why_onnxruntime(wishes.backend)}")


def _on_cpu(spec: ModelSpec, path: Path, wishes: Wishes, executor: Executor, threads: int, reason: str) -> Placed:
    model = OnnxModel(spec, path, executor, threads)
    return Placed(model, "onnxruntime", "cpu", f"{reason}; {_why_onnxruntime(wishes.backend)}")


def _speech_on_gpu(spec: ModelSpec, path: Path, wishes: Wishes, threads: int, gpu: Gpu) -> Placed:
    arithmetic = compute_type(gpu.sm)
    model = Ctranslate2Model(spec, path, "cuda", arithmetic, threads)
    return Placed(model, "ctranslate2", "cuda", f"cuda: {gpu.name}; {_WHY_CTRANSLATE2}", arithmetic)


def _speech_on_cpu(
    spec: ModelSpec, path: Path, wishes: Wishes, executor: Executor, threads: int, reason: str
) -> Placed:  # fmt: skip
    arithmetic = compute_type(None)
    model = Ctranslate2Model(spec, path, "cpu", arithmetic, threads)
    return Placed(model, "ctranslate2", "cpu", f"{reason}; {_WHY_CTRANSLATE2}", arithmetic)


def _why_onnxruntime(backend: str) -> str:
    return "onnxruntime: asked for by the setting" if backend == "onnxruntime" else "onnxruntime: the only backend"
