"""TensorRT plans as serving runs them: the file with the front of the one input contract, for one GPU."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import onnxruntime

from model_zoo.engines.build import Aim, Library, build, library
from model_zoo.engines.keep import PLAN, Fit, Kept, ensure, find, fit_of, why_none
from model_zoo.engines.shapes import served_shapes
from model_zoo.errors import BackendError, UsageError
from model_zoo.manifest import ModelSpec
from model_zoo.weights import WeightPlaces
from serve.backends.front import cast_first, with_front
from serve.backends.place import Source
from serve.devices import Gpu

log = logging.getLogger(__name__)
LIBRARIES: tuple[Library, ...] = ("tensorrt", "tensorrt_rtx")  # the first that is here builds


@dataclass(frozen=True, slots=True)
class Wanted:
    """An engine that is wanted."""

    spec: ModelSpec
    source: Source
    sm: int
    gpu: Gpu | None  # of this machine; None where engines are built for one that is not here
    places: WeightPlaces
    workspace_bytes: int


def ready(wanted: Wanted) -> tuple[Kept, Library]:
    """Return an engine that lies ready, for a library that is here; raises BackendError that says why there is none."""
    content = with_front(wanted.spec, wanted.source.path)
    reasons = []
    for name, fit in _fits(wanted, content):
        if kept := find(fit, wanted.places):
            return kept, name
        reasons.append(why_none(fit, wanted.places))
    raise BackendError(f"{wanted.spec.name}: {reasons[0] if reasons else 'no TensorRT is here to run an engine'}")


def made(wanted: Wanted) -> tuple[Kept, Library, bool]:
    """Return an engine and whether it was built now; TensorRT builds on the GPU, TensorRT-RTX also without one.

    Raises UsageError where neither is here, WeightsError where the file is refused or the cache cannot be written to.
    """
    content = with_front(wanted.spec, wanted.source.path)
    fits = dict(_fits(wanted, content))
    if not fits:
        library("tensorrt_rtx" if wanted.gpu is None else "tensorrt")  # raises, with what to install
    name = next(iter(fits))
    kept, now = ensure(fits[name], wanted.places, lambda folder: _make(wanted, name, folder), log.info)
    return kept, name, now


def compiled(spec: ModelSpec, source: Source) -> bytes:
    """Return the file as TensorRT takes it: with its front, and constants folded, such as weights stored as bytes.

    Other precisions were folded when they were exported. Raises BackendError.
    """
    content = cast_first(with_front(spec, source.path))
    if source.precision != "fp32":
        return content
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with TemporaryDirectory(prefix="reelwarden-") as folder:
        path = Path(folder, "folded.onnx")
        options.optimized_model_filepath = str(path)
        try:
            onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise BackendError(f"{spec.name}: ONNX Runtime cannot load it: {str(error).splitlines()[0]}") from error
        return path.read_bytes()


def _fits(wanted: Wanted, content: bytes) -> Iterator[tuple[Library, Fit]]:
    shapes = served_shapes(wanted.spec).text()
    for name in LIBRARIES:
        if name == "tensorrt" and wanted.gpu is None:
            continue  # it builds and runs only on the GPU itself
        try:
            version = library(name).__version__
        except UsageError:
            continue
        gpu = f"{wanted.gpu.name} (sm {wanted.sm})" if wanted.gpu and name == "tensorrt" else f"sm {wanted.sm}"
        yield name, fit_of(wanted.spec, content, wanted.source.precision, shapes, gpu, f"{name} {version}")


def _make(wanted: Wanted, name: Library, folder: Path) -> float:
    spec = wanted.spec
    log.info("%s: %s builds its engine for sm %d; this may take minutes", spec.name, name, wanted.sm)
    timing = _timing_file(wanted, name)
    known = timing.read_bytes() if timing.is_file() else b""
    aim = Aim(None if name == "tensorrt" else wanted.sm, workspace_bytes=wanted.workspace_bytes)
    engine = build(compiled(spec, wanted.source), spec, aim, known, log.info)
    (folder / PLAN).write_bytes(engine.plan)
    if engine.timing_cache:
        timing.parent.mkdir(parents=True, exist_ok=True)
        part = timing.with_suffix(f".{folder.name}.part")
        part.write_bytes(engine.timing_cache)
        part.replace(timing)
    log.info("%s: built in %.1f s, %d bytes", spec.name, engine.seconds, len(engine.plan))
    return engine.seconds


def _timing_file(wanted: Wanted, name: Library) -> Path:
    """Return what is kept of how fast kernels are: it makes the next engine of the same GPU and version faster."""
    told = f"{name} {wanted.gpu.name if wanted.gpu else ''} {wanted.sm} {library(name).__version__}"
    digest = hashlib.sha256(told.encode()).hexdigest()[:16]
    return wanted.places.cache / "engines" / "timing" / f"{digest}.cache"
