"""ONNX Runtime's TensorRT provider: it compiles what it can of a graph and leaves the rest to CUDA.

Its engines are kept like ours, one folder for each file, GPU and version; they are built when the session is opened,
in one process, while others wait. Networks are weakly typed here: with an fp16 or INT8 file TensorRT may compute more
in that precision than the file says, which is one reason why every engine's answers are compared (agreement.py).
"""

from __future__ import annotations

import time
from pathlib import Path

import onnxruntime

from model_zoo.engines.build import WORKSPACE_BYTES, Told, library
from model_zoo.engines.keep import Kept, ensure, fit_of
from model_zoo.engines.shapes import Shapes, served_shapes
from model_zoo.errors import BackendError
from model_zoo.manifest import ModelSpec
from model_zoo.weights import WeightPlaces
from serve.backends.agreement import check_agreement
from serve.backends.front import cast_first, with_front
from serve.backends.onnx_cuda import TENSORRT, OnnxCudaModel, Target
from serve.backends.place import Source
from serve.devices import Gpu

MAJOR = "10"  # of TensorRT, which ONNX Runtime's provider is linked with


def provider_model(
    spec: ModelSpec, source: Source, gpu: Gpu, places: WeightPlaces, most_bytes: int, told: Told
) -> tuple[OnnxCudaModel, str]:
    """Return the model and what became of its engine; raises BackendError, WeightsError or UsageError."""
    version = _version()
    shapes = served_shapes(spec)
    runtime = f"onnxruntime {onnxruntime.__version__}, tensorrt {version}"
    name = f"{gpu.name} (sm {gpu.sm})"
    fit = fit_of(spec, cast_first(with_front(spec, source.path)), source.precision, shapes.text(), name, runtime)
    opened: list[OnnxCudaModel] = []

    def make(folder: Path) -> float:
        told(f"{spec.name}: ONNX Runtime builds its TensorRT engine for {gpu.name}; this may take minutes")
        start = time.perf_counter()
        opened.append(_open(spec, source, folder, shapes, places, most_bytes))
        return time.perf_counter() - start

    kept, made = ensure(fit, places, make, told)
    model = opened[0] if opened else _open(spec, source, kept.folder, shapes, places, most_bytes)
    return model, _became(kept, made=made)


def options(
    spec: ModelSpec, precision: str, folder: Path, shapes: Shapes, timing: Path, workspace_bytes: int
) -> dict[str, str]:
    """Return what the provider is told; every value is text, and yes and no are Python's words for them."""
    ranges = {"min": shapes.least, "opt": shapes.usual, "max": shapes.most}
    return {
        "device_id": "0",
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": str(timing),
        "trt_fp16_enable": str(precision == "fp16"),
        "trt_int8_enable": str(precision == "int8"),  # for its Q/DQ nodes; there is no calibration table
        "trt_max_workspace_size": str(workspace_bytes),
    } | {f"trt_profile_{key}_shapes": f"{spec.input_name}:{'x'.join(map(str, shape))}" for key, shape in ranges.items()}


def _open(
    spec: ModelSpec, source: Source, folder: Path, shapes: Shapes, places: WeightPlaces, most_bytes: int
) -> OnnxCudaModel:
    timing = places.cache / "engines" / "timing"
    timing.mkdir(parents=True, exist_ok=True)
    told = options(spec, source.precision, folder, shapes, timing, min(most_bytes, WORKSPACE_BYTES))
    model = OnnxCudaModel(spec, source.path, Target(TENSORRT, most_bytes=most_bytes, tensorrt=told))
    check_agreement(spec, with_front(spec, source.path), model)
    if not any(folder.glob("*.engine")):  # the provider is there, and CUDA runs all
        raise BackendError(f"{spec.name}: ONNX Runtime's TensorRT provider takes no part of this network")
    return model


def _version() -> str:
    """Return TensorRT's version; importing it also loads the libraries that the provider needs."""
    if TENSORRT not in onnxruntime.get_available_providers():
        raise BackendError(f"onnxruntime {onnxruntime.__version__} has no TensorRT provider: install onnxruntime-gpu")
    version = str(library("tensorrt").__version__)
    if version.split(".")[0] != MAJOR:
        raise BackendError(f"TensorRT {version} is here; ONNX Runtime's provider needs {MAJOR}")
    return version


def _became(kept: Kept, *, made: bool) -> str:
    return f"engine built in {kept.facts.build_seconds:g} s" if made else f"engine found in {kept.folder}"
