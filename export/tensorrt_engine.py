"""Build TensorRT engines: with TensorRT on the GPU they are for, or with TensorRT-RTX for any GPU, without one.

Both libraries have one interface. TensorRT's engines are for serving; TensorRT-RTX needs no GPU to build, and so proves
in CI that TensorRT's parser and builder take a file. Networks are strongly typed: the file says what the precision is.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import onnx

from model_zoo.errors import UsageError, WeightsError
from model_zoo.manifest import ModelSpec

WORKSPACE_BYTES = 4 << 30  # what the text detector needs for its largest pictures is more than 1 GB
ANY_SIDE = (32, 320, 960)  # least, usual and most pixels of a side that a network takes at any length


@dataclass(frozen=True, slots=True)
class Engine:
    """A built engine."""

    plan: bytes
    seconds: float
    library: str
    sm: int | None  # compute capability it is for; None is the GPU of this machine


def library(*, without_gpu: bool) -> Any:
    """Import TensorRT, or TensorRT-RTX where an engine is built for a GPU that is not there."""
    name = "tensorrt_rtx" if without_gpu else "tensorrt"
    try:
        return importlib.import_module(name)
    except ImportError as error:
        hint = "`uv sync --group tensorrt`" if without_gpu else "`pip install tensorrt-cu12` from NVIDIA's own index"
        raise UsageError(f"{name} is not installed: {hint}") from error


def build(model: onnx.ModelProto, spec: ModelSpec, sm: int | None = None, timing_cache: bytes = b"") -> Engine:
    """Build an engine for batches from 1 to the manifest's most; raises WeightsError with what TensorRT refuses."""
    trt = library(without_gpu=sm is not None)
    said = _Said()
    logger = _logger(trt, said)
    builder = trt.Builder(logger)
    flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(flags)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(model.SerializeToString()):
        errors = "; ".join(str(parser.get_error(number)) for number in range(parser.num_errors))
        raise WeightsError(f"{spec.name}: TensorRT's parser refuses it: {errors}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    config.add_optimization_profile(_profile(builder, network, spec))
    if sm is not None:
        config.num_compute_capabilities = 1
        config.set_compute_capability(_capability(trt, sm), 0)
    elif timing_cache:
        config.set_timing_cache(config.create_timing_cache(timing_cache), ignore_mismatch=False)
    start = time.perf_counter()
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise WeightsError(f"{spec.name}: TensorRT cannot build it: {said.last or 'no reason given'}")
    return Engine(bytes(plan), time.perf_counter() - start, f"{trt.__name__} {trt.__version__}", sm)


class _Said:
    """The last error that TensorRT logged."""

    last = ""


def _logger(trt: Any, said: _Said) -> Any:
    class Logger(trt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                said.last = message

    return Logger()


def _capability(trt: Any, sm: int) -> Any:
    known = trt.ComputeCapability.__members__
    if f"SM{sm}" not in known:
        names = ", ".join(name for name in known if name.startswith("SM"))
        raise UsageError(f"sm {sm}: TensorRT-RTX builds for {names}")
    return known[f"SM{sm}"]


def _profile(builder: Any, network: Any, spec: ModelSpec) -> Any:
    profile = builder.create_optimization_profile()
    batches = 1, min(max(8, spec.batch.best), spec.batch.most), spec.batch.most
    for number in range(network.num_inputs):
        value = network.get_input(number)
        shapes = [
            (rows, *_sides(spec, tuple(value.shape)[1:], any_side))
            for rows, any_side in zip(batches, ANY_SIDE, strict=True)
        ]
        profile.set_shape(value.name, *shapes)
    return profile


def _sides(spec: ModelSpec, sides: Sequence[int], any_side: int) -> tuple[int, ...]:
    """Fill the open sides of one row with what the manifest says, and those of any length with `any_side`."""
    if spec.input is None or len(sides) != 3:
        known = (spec.sound.samples,) if spec.sound else (any_side,) * len(sides)
    elif spec.input.layout == "NCHW" and spec.input.dtype != "uint8":
        known = (3, spec.input.height, spec.input.width)
    else:
        known = (spec.input.height, spec.input.width, 3)
    return tuple(side if side > 0 else told or any_side for side, told in zip(sides, known, strict=True))
