"""Choose where a model runs, and say why."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model_zoo.errors import BackendError
from model_zoo.manifest import ModelSpec
from model_zoo.values import Model
from serve.backends.onnx import OnnxModel
from serve.backends.onnx_cuda import OnnxCudaModel, Target, why_no_cuda
from serve.devices import Gpu, Look, look_for_gpu

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class Placed:
    """A loaded model, and where it runs for which reason."""

    model: Model
    backend: str
    device: str
    reason: str


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

    With `device="cuda"` it is refused where it would have to run on the CPU.
    """
    why = _why_onnxruntime(wishes.backend)
    if wishes.device == "cpu":
        return _on_cpu(spec, path, executor, threads, f"cpu: asked for by the setting; {why}")
    found = look or look_for_gpu()
    reason = found.reason if found.gpu is None else why_no_cuda()
    if found.gpu is not None and reason is None:
        try:
            model = OnnxCudaModel(spec, path, _target(found.gpu, wishes))
        except BackendError as error:
            reason = str(error)
        else:
            return Placed(model, "onnxruntime", "cuda", f"cuda: {found.gpu.name}; {why}")
    if wishes.device == "cuda":
        raise BackendError(f"device=cuda: {spec.name} cannot run on a GPU: {reason}; set device=auto to use the CPU")
    return _on_cpu(spec, path, executor, threads, f"cpu: {reason}; {why}")


def _on_cpu(spec: ModelSpec, path: Path, executor: Executor, threads: int, reason: str) -> Placed:
    return Placed(OnnxModel(spec, path, executor, threads), "onnxruntime", "cpu", reason)


def _target(gpu: Gpu, wishes: Wishes) -> Target:
    most_bytes = int(gpu.memory_bytes * wishes.memory_share / max(1, wishes.models))
    return Target(most_bytes=most_bytes, graphs=wishes.graphs)


def _why_onnxruntime(backend: str) -> str:
    return "onnxruntime: asked for by the setting" if backend == "onnxruntime" else "onnxruntime: the only backend"
