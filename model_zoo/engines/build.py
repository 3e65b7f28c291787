"""Build TensorRT engines: with TensorRT on the GPU they are for, or with TensorRT-RTX for any GPU, without one.

Both libraries have one interface. Networks are strongly typed: the file says what the precision is. TensorRT 11 knows
no others; there the flag means nothing.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from model_zoo.engines.shapes import network_shapes
from model_zoo.errors import UsageError, WeightsError
from model_zoo.manifest import ModelSpec

WORKSPACE_BYTES = 4 << 30  # what the text detector needs for its largest pictures is more than 1 GB
SAY_SECONDS = 10.0  # between two words of progress

Library = Literal["tensorrt", "tensorrt_rtx"]
# On which other GPUs an engine of TensorRT runs: none, those of the same capability, Ampere and newer
Compatible = Literal["none", "same_sm", "ampere_plus"]
Told = Callable[[str], None]
_LEVELS = {"none": "NONE", "same_sm": "SAME_COMPUTE_CAPABILITY", "ampere_plus": "AMPERE_PLUS"}
# TensorRT's wheels: the first is a shell around the second, which has no binary package of its own on every index
_MODULES: dict[Library, tuple[str, ...]] = {
    "tensorrt": ("tensorrt", "tensorrt_bindings"),
    "tensorrt_rtx": ("tensorrt_rtx",),
}
_HOW: dict[Library, str] = {
    "tensorrt": "`pip install --extra-index-url https://pypi.nvidia.com tensorrt-cu12==10.16.1.11`, or build the image "
    "with WITH_TENSORRT=1",
    "tensorrt_rtx": "`uv sync --group tensorrt`, or `pip install tensorrt-rtx-cu12==1.7.1.116`",
}


@dataclass(frozen=True, slots=True)
class Aim:
    """What an engine is built for."""

    sm: int | None = None  # compute capability of a GPU that need not be there; None is the GPU of this machine
    compatible: Compatible = "none"
    workspace_bytes: int = WORKSPACE_BYTES


@dataclass(frozen=True, slots=True)
class Engine:
    """A built engine."""

    plan: bytes
    seconds: float
    library: str
    sm: int | None  # compute capability it is for; None is the GPU of this machine
    timing_cache: bytes = b""  # makes the next build of a like network on the same GPU faster


class Said:
    """The last error that TensorRT logged."""

    last = ""


def quiet(_text: str) -> None:
    """Say nothing of the progress."""


def library(name: Library) -> Any:
    """Import TensorRT or TensorRT-RTX; raises UsageError that says how to get it."""
    for module in _MODULES[name]:
        try:
            if module == "tensorrt_bindings":
                importlib.import_module("tensorrt_libs")  # loads what the bindings, and ONNX Runtime's provider, need
            return importlib.import_module(module)
        except (ImportError, OSError) as error:
            reason = error
    raise UsageError(f"{name} is not installed: {_HOW[name]} ({reason})") from reason


def installed() -> bool:
    """Say whether one of the two libraries is here."""
    for name in _HOW:
        try:
            library(name)
        except UsageError:
            continue
        return True
    return False


def build(
    content: bytes, spec: ModelSpec, aim: Aim | None = None, timing_cache: bytes = b"", told: Told = quiet
) -> Engine:
    """Build an engine of an ONNX file for batches from 1 to the manifest's most.

    Raises WeightsError with what TensorRT refuses, UsageError where it is not installed or knows no such GPU. Other
    threads go on meanwhile; `told` hears of the progress.
    """
    aim = aim or Aim()
    trt = library("tensorrt" if aim.sm is None else "tensorrt_rtx")
    said = Said()
    logger = logger_of(trt, said)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(content):
        errors = "; ".join(str(parser.get_error(number)) for number in range(parser.num_errors))
        raise WeightsError(f"{spec.name}: TensorRT's parser refuses it: {errors}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, aim.workspace_bytes)
    config.add_optimization_profile(_profile(builder, network, spec))
    config.progress_monitor = _monitor(trt, spec.name, told)
    timing = _aimed(trt, config, aim, timing_cache)
    start = time.perf_counter()
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise WeightsError(f"{spec.name}: TensorRT cannot build it: {said.last or 'no reason given'}")
    seconds = time.perf_counter() - start
    learnt = bytes(config.get_timing_cache().serialize()) if timing else b""
    return Engine(bytes(plan), seconds, f"{_name(trt)} {trt.__version__}", aim.sm, learnt)


def logger_of(trt: Any, said: Said) -> Any:
    """Return a logger that keeps the last error and prints nothing."""

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                said.last = message

    return Logger()


def _name(trt: Any) -> str:
    return "tensorrt" if trt.__name__ == "tensorrt_bindings" else str(trt.__name__)


def _aimed(trt: Any, config: Any, aim: Aim, timing_cache: bytes) -> bool:
    """Set the GPU; return whether kernels are timed on it, as TensorRT-RTX times them only where it runs."""
    if aim.sm is not None:
        config.num_compute_capabilities = 1
        config.set_compute_capability(_capability(trt, aim.sm), 0)
        return False
    config.hardware_compatibility_level = getattr(trt.HardwareCompatibilityLevel, _LEVELS[aim.compatible])
    cache = config.create_timing_cache(timing_cache)
    if not config.set_timing_cache(cache, ignore_mismatch=False):  # of another GPU or version: begin anew
        config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)
    return True


def _capability(trt: Any, sm: int) -> Any:
    known = trt.ComputeCapability.__members__
    if f"SM{sm}" not in known:
        names = ", ".join(name for name in known if name.startswith("SM"))
        raise UsageError(f"sm {sm}: TensorRT-RTX builds for {names}")
    return known[f"SM{sm}"]


def _profile(builder: Any, network: Any, spec: ModelSpec) -> Any:
    profile = builder.create_optimization_profile()
    for number in range(network.num_inputs):
        value = network.get_input(number)
        shapes = network_shapes(spec, tuple(value.shape)[1:])
        profile.set_shape(value.name, shapes.least, shapes.usual, shapes.most)
    return profile


def _monitor(trt: Any, name: str, told: Told) -> Any:
    """Return what TensorRT tells of its progress, passed on every few seconds."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}
            self._said_seconds = time.monotonic()

        def phase_start(self, phase: str, _parent: str | None, steps: int) -> None:
            self._steps[phase] = steps

        def step_complete(self, phase: str, step: int) -> bool:
            if time.monotonic() - self._said_seconds >= SAY_SECONDS:
                self._said_seconds = time.monotonic()
                told(f"{name}: {phase}, step {step + 1} of {self._steps.get(phase, 0)}")
            return True

        def phase_finish(self, phase: str) -> None:
            self._steps.pop(phase, None)

    return Monitor()
