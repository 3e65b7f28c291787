"""Choose where a model runs, and say why."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from model_zoo.manifest import ModelSpec
from model_zoo.values import Model
from serve.backends.onnx import OnnxModel
from serve.devices import has_nvidia_driver


@dataclass(frozen=True, slots=True)
class Placed:
    """A loaded model, and where it runs for which reason."""

    model: Model
    backend: str
    device: str
    reason: str


def place_model(
    spec: ModelSpec, path: Path, device: str, backend: str, executor: Executor, threads: int
) -> Placed:  # fmt: skip
    """Load a model by the settings `device` and `backend`; raises BackendError when it cannot be loaded.

    ONNX Runtime on the CPU is what this release has; the settings exist so that asking for it is said in the report.
    """
    model = OnnxModel(spec, path, executor, threads)
    return Placed(model, "onnxruntime", "cpu", f"{_why_cpu(device)}; {_why_onnxruntime(backend)}")


def _why_cpu(device: str) -> str:
    if device == "cpu":
        return "cpu: asked for by the setting"
    if has_nvidia_driver():
        return "cpu: there is an NVIDIA driver, but no backend for it in this release"
    return "cpu: no NVIDIA driver was found"


def _why_onnxruntime(backend: str) -> str:
    return "onnxruntime: asked for by the setting" if backend == "onnxruntime" else "onnxruntime: the only backend"
