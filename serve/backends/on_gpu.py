"""Load a model for the GPU by the first way that works; what was tried before it is in the reason."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from model_zoo.engines.build import WORKSPACE_BYTES, Library, installed, library
from model_zoo.engines.keep import Kept
from model_zoo.errors import BackendError, DeviceLostError, ReelwardenError
from model_zoo.manifest import ModelSpec
from model_zoo.values import Model
from serve.backends.agreement import check_agreement
from serve.backends.device_lost import check_device
from serve.backends.front import with_front
from serve.backends.onnx_cuda import OnnxCudaModel, Target, why_no_cuda
from serve.backends.onnx_graphs import OnnxGraphModel
from serve.backends.place import Placed, Source, Wishes
from serve.backends.plan_memory import GpuMemory
from serve.backends.sources import source_of
from serve.backends.tensorrt_plan import TensorrtPlanModel
from serve.backends.tensorrt_provider import provider_model
from serve.devices import Gpu
from serve.engines import Wanted, made, ready

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A model for a GPU, in the precision that is to be run."""

    spec: ModelSpec
    source: Source
    wishes: Wishes
    gpu: Gpu

    @property
    def most_bytes(self) -> int:
        return self.wishes.most_bytes(self.gpu.memory_bytes)

    def wanted(self) -> Wanted:
        workspace_bytes = min(self.most_bytes, WORKSPACE_BYTES)
        return Wanted(self.spec, self.source, self.gpu.sm, self.gpu, self.wishes.places, workspace_bytes)

    def placed(self, model: Model, backend: str, words: str) -> Placed:
        reason = "; ".join(filter(None, (f"cuda: {self.gpu.name}", words, self.source.reason)))
        return Placed(model, backend, "cuda", reason, self.source.precision)


Way = Callable[[_Asked], Placed]


def place_on_gpu(spec: ModelSpec, weights: Path, wishes: Wishes, gpu: Gpu) -> Placed:
    """Load a model; raises BackendError where no way works, with the reason of each."""
    asked = _Asked(spec, source_of(spec, weights, wishes, on_gpu=True), wishes, gpu)
    failures: dict[str, str] = {}
    for name, way in _ways(wishes).items():
        try:
            placed = way(asked)
        except DeviceLostError:
            raise
        except Exception as error:  # noqa: BLE001 - the libraries of a way that does not work fail in any way
            check_device(spec.name, error)
            failures[name] = _told(error)
            log.warning("%s: not by %s: %s", spec.name, name, failures[name])
            continue
        passed = "".join(f"; not by {name}: {reason}" for name, reason in failures.items())
        return replace(placed, reason=placed.reason + passed)
    raise BackendError("; ".join(failures.values()))


def _told(error: Exception) -> str:
    """Return our own words as they are, and the first line of a library's, with what kind of error it is."""
    if isinstance(error, ReelwardenError):
        return str(error)
    return f"{type(error).__name__}: {(str(error).strip() or 'no reason given').splitlines()[0]}"


def _ways(wishes: Wishes) -> dict[str, Way]:
    """Return the ways to be tried, in order; nothing of TensorRT is tried by `auto` where none is here."""
    ways: dict[str, Way] = {"CUDA": _cuda}
    if wishes.tensorrt == "off" or (wishes.tensorrt == "auto" and not installed()):
        return ways
    ways = {"TensorRT's provider": _provider} | ways
    plan = _built_plan if wishes.tensorrt == "plan" else _ready_plan
    return ways if wishes.tensorrt == "provider" else {"a TensorRT plan": plan} | ways


def _ready_plan(asked: _Asked) -> Placed:
    kept, name = ready(asked.wanted())
    return _plan(asked, kept, name, f"engine found in {kept.folder}")


def _built_plan(asked: _Asked) -> Placed:
    kept, name, now = made(asked.wanted())
    became = f"engine built in {kept.facts.build_seconds:g} s" if now else f"engine found in {kept.folder}"
    return _plan(asked, kept, name, became)


def _plan(asked: _Asked, kept: Kept, name: Library, became: str) -> Placed:
    try:
        memory = GpuMemory()
    except ImportError as error:
        raise BackendError(f"TensorRT plans need CuPy: install cupy-cuda12x ({error})") from error
    graphs = asked.wishes.graphs and name == "tensorrt"
    if asked.wishes.graphs and not graphs:
        became += "; CUDA graphs are not captured with TensorRT-RTX"
    plan, most_bytes = kept.plan.read_bytes(), asked.most_bytes
    model = TensorrtPlanModel(asked.spec, plan, library(name), memory, most_bytes=most_bytes, graphs=graphs)
    check_agreement(asked.spec, with_front(asked.spec, asked.source.path), model)
    return asked.placed(model, name, f"{kept.facts.fit.library}: {became}")


def _provider(asked: _Asked) -> Placed:
    places, spec = asked.wishes.places, asked.spec
    model, became = provider_model(spec, asked.source, asked.gpu, places, asked.most_bytes, log.info)
    return asked.placed(model, "onnxruntime-tensorrt", f"onnxruntime with its TensorRT provider: {became}")


def _cuda(asked: _Asked) -> Placed:
    if reason := why_no_cuda():
        raise BackendError(reason)
    opened = OnnxGraphModel if asked.wishes.graphs else OnnxCudaModel
    model = opened(asked.spec, asked.source.path, Target(most_bytes=asked.most_bytes))
    return asked.placed(model, "onnxruntime", why_onnxruntime(asked.wishes.backend))


def why_onnxruntime(backend: str) -> str:
    """Say why ONNX Runtime runs a model."""
    return "onnxruntime: asked for by the setting" if backend == "onnxruntime" else "onnxruntime: the only backend"
