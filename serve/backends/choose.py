"""Choose where a model runs, and say why."""

from __future__ import annotations

import shutil
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from model_zoo.manifest import ModelSpec
from model_zoo.values import Model
from serve.backends.onnx import OnnxModel


@dataclass(frozen=True, slots=True)
class Placed:
    """A loaded model, and where it runs for which reason."""

    model: Model
    backend: str
    device: str
    reason: str


def place_model(spec: ModelSpec, path: Path, device: str, executor: Executor, threads: int) -> Placed:
    """Load a model on `device` ("auto" or "cpu"); raises BackendError when it cannot be loaded."""
    model = OnnxModel(spec, path, executor, threads)
    return Placed(model, "onnxruntime", "cpu", _why_cpu(device))


def _why_cpu(device: str) -> str:
    if device == "cpu":
        return "cpu: asked for by the device setting"
    if shutil.which("nvidia-smi") is None:
        return "cpu: no NVIDIA driver was found (nvidia-smi is not there)"
    return "cpu: this build carries ONNX Runtime for CPU only"
