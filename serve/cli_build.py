"""`reelwarden models build`: TensorRT engines before they are needed, on their GPU or, by TensorRT-RTX, without it."""

from __future__ import annotations

import logging
import re
from typing import Annotated

import typer

from model_zoo.engines.build import WORKSPACE_BYTES, library
from model_zoo.errors import ReelwardenError, UsageError, WeightsError
from model_zoo.manifest import ModelSpec
from serve.backends.place import Wishes
from serve.backends.sources import source_of
from serve.cli_models import Names, OfDomain, ensure_shown, wanted_models
from serve.devices import Gpu, look_for_gpu
from serve.engines import Wanted, made
from serve.settings import Settings, load_settings

# Compute capabilities of GPUs in machines that are rented
GPUS = {"t4": 75, "a100": 80, "a10g": 86, "a10": 86, "l4": 89, "l40s": 89}


def build(
    names: Names = None,
    domain: OfDomain = None,
    gpu: Annotated[
        str | None, typer.Option("--gpu", help=f"{', '.join(GPUS)}, or smNN; this machine's by default.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help="auto, fp32, fp16 or int8; REELWARDEN_PRECISION by default.")
    ] = None,
) -> None:
    """Build TensorRT engines into the cache, where serving finds them; one that fails does not stop the others."""
    settings = load_settings(precision=precision)
    logging.getLogger("serve.engines").setLevel(logging.INFO)  # a build takes minutes
    sm, here = target(gpu)
    specs = [spec for spec in wanted_models(names or [], domain, settings) if _is_for_tensorrt(spec)]
    weights = ensure_shown(specs, settings.weight_places())
    wishes = Wishes(settings.weight_places(), precision=settings.precision)
    failures = []
    for spec in specs:
        try:
            source = source_of(spec, weights[spec.name], wishes, on_gpu=True)
            kept, name, now = made(Wanted(spec, source, sm, here, wishes.places, workspace_bytes(settings, here)))
        except ReelwardenError as error:
            failures.append(str(error))
            typer.echo(f"{spec.name}: not built", err=True)
            continue
        size = kept.plan.stat().st_size / 1e6
        how = f"built in {kept.facts.build_seconds:g} s" if now else "present"
        typer.echo(f"{spec.name}: {how}, {source.precision}, sm {sm}, {size:.1f} MB, by {name}: {kept.folder}")
        if source.reason and settings.precision != "auto":
            typer.echo(f"{spec.name}: {source.reason}", err=True)
    if failures:
        raise WeightsError("; and ".join(failures))


def target(asked: str | None) -> tuple[int, Gpu | None]:
    """Return the compute capability to build for, and the GPU where it is this machine's; raises UsageError."""
    found = look_for_gpu()
    if asked is None:
        if found.gpu is None:
            raise UsageError(f"{found.reason}: name the GPU to build for, e.g. --gpu t4")
        return found.gpu.sm, found.gpu
    numbered = re.fullmatch(r"sm(\d{2,3})", asked)
    sm = int(numbered[1]) if numbered else GPUS.get(asked.lower())
    if sm is None:
        raise UsageError(f"--gpu {asked}: write {', '.join(GPUS)}, or the compute capability, e.g. sm75 for 7.5")
    here = found.gpu if found.gpu and found.gpu.sm == sm else None
    if here is None:
        library("tensorrt_rtx")  # nothing else builds for a GPU that is not here
    return sm, here


def workspace_bytes(settings: Settings, gpu: Gpu | None) -> int:
    """Return how much memory kernels may use: what serving gives all models together, as it shares them otherwise."""
    return min(WORKSPACE_BYTES, int(gpu.memory_bytes * settings.gpu_memory_share)) if gpu else WORKSPACE_BYTES


def _is_for_tensorrt(spec: ModelSpec) -> bool:
    if spec.format != "onnx":
        typer.echo(f"{spec.name} is left out: {spec.format} runs it, not TensorRT", err=True)
    return spec.format == "onnx"
