"""What gpu_check measures of the ways a model can take on a GPU: TensorRT plans, CUDA graphs on and off, speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.gpu_inference import Lay, fixed_models, noise_rows, repeat, with_most
from export.__main__ import weights_of
from model_zoo.engines.build import WORKSPACE_BYTES, library
from model_zoo.errors import ReelwardenError
from model_zoo.manifest import ModelSpec
from model_zoo.values import Model
from model_zoo.weights import WeightPlaces
from serve.backends.ctranslate2 import Ctranslate2Model
from serve.backends.onnx_cuda import OnnxCudaModel, Target
from serve.backends.onnx_graphs import OnnxGraphModel
from serve.backends.place import Source
from serve.backends.plan_memory import Memory
from serve.backends.tensorrt_plan import TensorrtPlanModel
from serve.devices import Gpu
from serve.engines import Wanted, made

SPEECH = Path(__file__).parent.parent / "tests" / "media" / "speech" / "librivox_0930.wav"
ROWS_OF_SPEECH = 16


def graph_rates(
    specs: Sequence[ModelSpec], target: Target, lay: Lay, batches: Sequence[int], seconds: float = 1.0
) -> list[dict[str, Any]]:
    """Run every model of fixed shapes by ONNX Runtime, with CUDA graphs and without."""
    found: list[dict[str, Any]] = []
    for spec in fixed_models(specs):
        wide = with_most(spec, max(batches))
        try:
            for graphs, opened in ((False, OnnxCudaModel), (True, OnnxGraphModel)):
                model: Any = opened(wide, weights_of(spec), replace(target, graphs=False))
                found += [_rate(spec, model, batch, lay, seconds) | {"graphs": graphs} for batch in batches]
        except ReelwardenError as error:
            found.append({"model": spec.name, "failed": str(error)})
    return found


def plan_rates(
    specs: Sequence[ModelSpec],
    gpu: Gpu,
    places: WeightPlaces,
    memory: type[Memory],
    lay: Lay,
    batches: Sequence[int],
    seconds: float = 1.0,
) -> list[dict[str, Any]]:
    """Build a TensorRT plan of every model of fixed shapes, or find it, and run it with CUDA graphs and without."""
    library("tensorrt")  # raises where it is not here, with what to install
    found: list[dict[str, Any]] = []
    for spec in fixed_models(specs):
        wide = with_most(spec, max(batches))
        try:
            source = Source(weights_of(spec), "fp32", "")
            kept, name, _ = made(Wanted(wide, source, gpu.sm, gpu, places, WORKSPACE_BYTES))
            plan = kept.plan.read_bytes()
            for graphs in (False, True):
                model = TensorrtPlanModel(wide, plan, library(name), memory(), graphs=graphs)
                found += [_rate(spec, model, batch, lay, seconds) | {"graphs": graphs} for batch in batches]
        except ReelwardenError as error:
            found.append({"model": spec.name, "failed": str(error)})
    return found


def speech_rate(spec: ModelSpec, weights: Path, device: str, arithmetic: str, repeats: int = 3) -> dict[str, Any]:
    """Transcribe windows of speech in full batches; give the seconds of sound that are understood in a second."""
    from faster_whisper.audio import decode_audio

    model = Ctranslate2Model(spec, weights, device, arithmetic, threads=2)
    heard = spec.hears()
    sound = decode_audio(str(SPEECH), heard.sample_rate)[: heard.samples]
    waveform = np.zeros((ROWS_OF_SPEECH, heard.samples), np.float32)
    waveform[:, : len(sound)] = sound
    given = {
        heard.name: waveform,
        "filled": np.full(ROWS_OF_SPEECH, len(sound)),
        "language": np.full(ROWS_OF_SPEECH, "en"),
        "usual_language": np.full(ROWS_OF_SPEECH, ""),
        "file_number": np.zeros(ROWS_OF_SPEECH, np.int64),
        "usual_seconds": np.zeros(ROWS_OF_SPEECH),
        "beam_size": np.full(ROWS_OF_SPEECH, 1),
    }
    said = model.run(given)
    start = perf_counter()
    for _ in range(repeats):
        model.run(given)
    seconds = (perf_counter() - start) / repeats
    return {
        "model": spec.name,
        "compute_type": arithmetic,
        "words": int(np.count_nonzero(said["words"][0])),
        "sound_seconds_per_second": round(ROWS_OF_SPEECH * len(sound) / heard.sample_rate / seconds, 1),
        "notes": model.notes,
    }


def _rate(spec: ModelSpec, model: Model, batch: int, lay: Lay, seconds: float) -> dict[str, Any]:
    there = lay(noise_rows(spec, batch))
    there.wait(None)
    run = partial(model.run, {spec.sees().name: there})
    rate = round(batch * repeat(run, seconds), 1)
    return {"model": spec.name, "batch": batch, "rows_per_second": rate, "notes": getattr(model, "notes", "")}
