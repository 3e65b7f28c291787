"""Choose where a model runs, and say why."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from model_zoo.errors import BackendError
from model_zoo.manifest import ModelSpec
from model_zoo.values import Model
from serve.backends.ctranslate2 import Ctranslate2Model, compute_type
from serve.backends.onnx import OnnxModel
from serve.devices import has_nvidia_driver, look_for_gpu

_WHY_CTRANSLATE2 = "ctranslate2: what runs weights of this format"


@dataclass(frozen=True, slots=True)
class Placed:
    """A loaded model, and where it runs for which reason."""

    model: Model
    backend: str
    device: str
    reason: str
    precision: str = "fp32"


def place_model(
    spec: ModelSpec, path: Path, device: str, backend: str, executor: Executor, threads: int
) -> Placed:  # fmt: skip
    """Load a model by the settings `device` and `backend`; raises BackendError when it cannot be loaded.

    The format of the weights says what can run them. ONNX Runtime on the CPU is what this release has for ONNX; the
    settings exist so that asking for it is said in the report.
    """
    if spec.format == "ctranslate2":
        return _place_speech(spec, path, device, threads)
    model = OnnxModel(spec, path, executor, threads)
    return Placed(model, "onnxruntime", "cpu", f"{_why_cpu(device)}; {_why_onnxruntime(backend)}")


def _place_speech(spec: ModelSpec, path: Path, device: str, threads: int) -> Placed:
    """Put speech recognition on the GPU where there is one that it can use, unless the setting says otherwise."""
    look = look_for_gpu()
    reason = "cpu: asked for by the setting" if device == "cpu" else f"cpu: {look.reason}"
    if device != "cpu" and look.gpu:
        arithmetic = compute_type(look.gpu.sm)
        try:
            model = Ctranslate2Model(spec, path, "cuda", arithmetic, threads)
        except BackendError as error:
            reason = f"cpu: {look.gpu.name} could not be used: {error}"
        else:
            return Placed(model, "ctranslate2", "cuda", f"cuda: {look.reason}; {_WHY_CTRANSLATE2}", arithmetic)
    arithmetic = compute_type(None)
    model = Ctranslate2Model(spec, path, "cpu", arithmetic, threads)
    return Placed(model, "ctranslate2", "cpu", f"{reason}; {_WHY_CTRANSLATE2}", arithmetic)


def _why_cpu(device: str) -> str:
    if device == "cpu":
        return "cpu: asked for by the setting"
    if has_nvidia_driver():
        return "cpu: there is an NVIDIA driver, but no backend for it in this release"
    return "cpu: no NVIDIA driver was found"


def _why_onnxruntime(backend: str) -> str:
    return "onnxruntime: asked for by the setting" if backend == "onnxruntime" else "onnxruntime: the only backend"
