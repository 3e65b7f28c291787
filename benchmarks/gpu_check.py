"""Measure the whole GPU path on a machine with an NVIDIA GPU: `make gpu-check`.

Writes benchmarks/results/gpu-NAME-DATE.json, and says at the end which goals were met. Every figure carries the name of
its GPU; a section that fails says so in the file and does not stop the others. Without a GPU it refuses: nothing is
written that was not measured.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import gpu_inference as inference
from benchmarks import gpu_sections as sections
from benchmarks import gpu_ways as ways
from benchmarks.gpu_goals import goals, in_words
from benchmarks.roofline import peak_of
from benchmarks.tensorrt_check import default_models
from model_zoo.catalog import catalog, named
from model_zoo.errors import BackendError
from model_zoo.values import OnDevice
from model_zoo.weights import ensure
from serve.backends.ctranslate2 import compute_type
from serve.backends.onnx_cuda import Target
from serve.backends.plan_memory import GpuMemory
from serve.cores import usable_threads
from serve.decode.nvdec import NoNvdec, Nvdec, find_nvdec
from serve.decode.paint import GpuBlock, GpuPainter
from serve.decode.sessions import Sessions
from serve.devices import Gpu, look_for_gpu
from serve.doctor import examine
from serve.pipeline import Analyzer
from serve.settings import load_settings

RESULTS = Path(__file__).parent / "results"
MEDIA = Path(__file__).parent.parent / "tests" / "media"
SESSIONS = (1, 2, 4, 7)
BATCHES = (1, 4, 8, 16, 32, 64)
PACKAGES = ("onnxruntime-gpu", "onnxruntime", "pynvvideocodec", "cupy-cuda12x", "cupy-cuda13x", "av", "numpy")
NO_GPU = 3


def main(names: Sequence[str]) -> int:
    """Run the named sections, or all."""
    look = look_for_gpu()
    if look.gpu is None:
        print(f"gpu-check needs an NVIDIA GPU: {look.reason}. Nothing was measured or written.", file=sys.stderr)
        return NO_GPU
    with TemporaryDirectory(prefix="reelwarden-") as folder:
        wanted = _sections(look.gpu, Path(folder))
        results: dict[str, Any] = {"about": about(look.gpu)}
        for name in names or wanted:
            results[name] = attempt(wanted[name])
            print(name, json.dumps(results[name])[:400], flush=True)
    results["goals"] = goals(results)
    print("\n".join(map(in_words, results["goals"])))
    name = re.sub(r"[^a-z0-9]+", "-", look.gpu.name.lower()).strip("-")
    path = RESULTS / f"gpu-{name}-{time.strftime('%Y-%m-%d')}.json"
    path.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(f"wrote {path}")
    return 0


def attempt(section: Callable[[], Any]) -> Any:
    """Return what a section found, or how it failed."""
    try:
        return section()
    except Exception as error:  # noqa: BLE001 - a failure is a finding
        return {"failed": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}


def about(gpu: Gpu) -> dict[str, Any]:
    """Return the machine, the libraries and the commit."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "gpu": gpu.name,
        "sm": gpu.sm,
        "memory_bytes": gpu.memory_bytes,
        "cuda_of_driver": gpu.cuda,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "commit": commit,
        "date": time.strftime("%Y-%m-%d"),
    }


def _sections(gpu: Gpu, folder: Path) -> dict[str, Callable[[], Any]]:
    threads = usable_threads()
    models = default_models()
    target = Target(most_bytes=int(gpu.memory_bytes * 0.7))
    detector = next(spec for spec in models if spec.name == "nanodet_g_416")
    return {
        "doctor": lambda: [asdict(check) for check in examine(load_settings())],
        "kernel_parity": lambda: sections.kernel_parity(GpuPainter(), _upload),
        "kernel_speed": lambda: _kernel_speed(),
        "contracts": lambda: _contracts(),
        "decode": lambda: sections.decode_rates(
            sections.clips(folder, (1920, 1080), 300, ("h264", "hevc", "vp9", "av1")), _many(), SESSIONS, threads
        ),
        "fallback": lambda: sections.fallback_cases(folder, _nvdec()),
        "inference": lambda: inference.inference_rates(models, target, folder, BATCHES, _lay, peak_of(gpu.name)),
        "graphs": lambda: ways.graph_rates(models, target, _lay, (1, max(BATCHES))),
        "plans": lambda: ways.plan_rates(
            models, gpu, load_settings().weight_places(), GpuMemory, _lay, (1, max(BATCHES))
        ),
        "speech": lambda: _speech(gpu),
        "out_of_memory": lambda: inference.out_of_memory(detector, Target(most_bytes=96 << 20)),
        "pipeline": lambda: _pipeline(),
        "memory": lambda: _memory_returned(),
    }


def _kernel_speed() -> dict[str, Any]:
    painter = GpuPainter()
    return sections.kernel_speed(painter, _upload, painter.prepared, painter.seconds_of, _copy_rate())


def _speech(gpu: Gpu) -> dict[str, Any]:
    (spec,) = named(["whisper_base"], catalog())
    return ways.speech_rate(spec, ensure(spec, load_settings().weight_places()), "cuda", compute_type(gpu.sm))


def _nvdec() -> Nvdec:
    found = find_nvdec()
    if isinstance(found, NoNvdec):
        raise BackendError(found.reason)
    return found


def _many() -> Nvdec:
    """Return the video engines, to be used by more sessions than there are engines."""
    found = _nvdec()
    return replace(found, sessions=Sessions(found.sessions._library, GpuPainter, max(SESSIONS)))


def _lay(rows: np.ndarray) -> OnDevice:
    return GpuPainter().hand_over(_upload(rows), rows.shape)


def _upload(content: np.ndarray) -> GpuBlock:
    import cupy

    return GpuBlock(cupy.asarray(content.reshape(-1)))


def _copy_rate() -> float:
    """Return bytes read and written a second by a plain copy inside of the GPU's memory."""
    import cupy

    source, size = cupy.zeros(512 << 20, np.uint8), 512 << 20
    target = cupy.empty_like(source)
    cupy.copyto(target, source)
    cupy.cuda.Device().synchronize()
    start = time.perf_counter()
    for _ in range(20):
        cupy.copyto(target, source)
    cupy.cuda.Device().synchronize()
    return 20 * 2 * size / (time.perf_counter() - start)


def _contracts() -> dict[str, Any]:
    """Run the tests that are marked gpu."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests/contract", "tests/unit"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "REELWARDEN_REQUIRE": "gpu"}
    )
    return {"passed": done.returncode == 0, "summary": done.stdout.strip().splitlines()[-12:]}


def _pipeline() -> dict[str, Any]:
    """Analyze the sample clip with every visual domain, all on the GPU."""
    settings = load_settings(
        device="cuda", decoder="nvdec", domains="moderation,objects,labels,shots,faces", interval_seconds=0.2
    )
    with Analyzer(settings) as analyzer:
        return sections.pipeline_rates(analyzer, MEDIA / "demo.mp4", _nvdec().sessions.engines)


def _memory_returned() -> dict[str, Any]:
    """Say how much of the GPU's memory is kept when the same work, models loaded anew, is done once more."""
    import cupy

    free = [_free_bytes(cupy)]
    for _ in range(2):
        _pipeline()
        free.append(_free_bytes(cupy))
    return {"bytes_kept_by_a_first_run": free[0] - free[1], "bytes_kept_by_a_second_run": free[1] - free[2]}


def _free_bytes(cupy: Any) -> int:
    gc.collect()
    cupy.get_default_memory_pool().free_all_blocks()
    return int(cupy.cuda.runtime.memGetInfo()[0])


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
