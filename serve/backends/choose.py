"""Choose where a model runs, and say why."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path

from model_zoo.errors import BackendError, DeviceLostError
from model_zoo.manifest import ModelSpec
from serve.backends.ctranslate2 import Ctranslate2Model, cap_kept_memory, compute_type
from serve.backends.on_gpu import place_on_gpu, why_onnxruntime
from serve.backends.onnx import OnnxModel
from serve.backends.place import Placed, Wishes
from serve.backends.sources import source_of
from serve.devices import Gpu, Look, look_for_gpu

_WHY_CTRANSLATE2 = "ctranslate2: what runs weights of this format"


def place_model(
    spec: ModelSpec, path: Path, wishes: Wishes, executor: Executor, threads: int, look: Look | None = None
) -> Placed:  # fmt: skip
    """Load a model on the GPU where there is one, or on the CPU; raises BackendError when it cannot be loaded.

    The format of the weights says what can run them. With `device="cuda"` a model is refused where it would have to run
    on the CPU, unless its manifest says that it is small.
    """
    speech = spec.format == "ctranslate2"
    on_cpu = _speech_on_cpu if speech else _on_cpu
    if wishes.device == "cpu":
        return on_cpu(spec, path, wishes, executor, threads, "cpu: asked for by the setting")
    found = look or look_for_gpu()
    reason = found.reason
    if found.gpu is not None:
        try:
            if speech:
                cap_kept_memory(wishes.most_bytes(found.gpu.memory_bytes))
                return _speech_on_gpu(spec, path, threads, found.gpu)
            return place_on_gpu(spec, path, wishes, found.gpu)
        except DeviceLostError:
            raise
        except BackendError as error:
            reason = f"{found.gpu.name} could not be used: {error}"
    if wishes.device == "cuda" and not spec.small:
        raise BackendError(f"device=cuda: {spec.name} cannot run on a GPU: {reason}; set device=auto to use the CPU")
    return on_cpu(spec, path, wishes, executor, threads, f"cpu: {reason}")


def _on_cpu(spec: ModelSpec, path: Path, wishes: Wishes, executor: Executor, threads: int, reason: str) -> Placed:
    source = source_of(spec, path, wishes, on_gpu=False)
    model = OnnxModel(spec, source.path, executor, threads)
    words = filter(None, (reason, why_onnxruntime(wishes.backend), source.reason))
    return Placed(model, "onnxruntime", "cpu", "; ".join(words), source.precision)


def _speech_on_gpu(spec: ModelSpec, path: Path, threads: int, gpu: Gpu) -> Placed:
    arithmetic = compute_type(gpu.sm)
    model = Ctranslate2Model(spec, path, "cuda", arithmetic, threads)
    return Placed(model, "ctranslate2", "cuda", f"cuda: {gpu.name}; {_WHY_CTRANSLATE2}", arithmetic)


def _speech_on_cpu(
    spec: ModelSpec, path: Path, wishes: Wishes, executor: Executor, threads: int, reason: str
) -> Placed:  # fmt: skip
    arithmetic = compute_type(None)
    model = Ctranslate2Model(spec, path, "cpu", arithmetic, threads)
    return Placed(model, "ctranslate2", "cpu", f"{reason}; {_WHY_CTRANSLATE2}", arithmetic)
