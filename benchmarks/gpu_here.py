"""Run one section of gpu_check in this process, on the GPU that is here: `python -m benchmarks.gpu_here NAME FILE`."""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import gpu_inference as inference
from benchmarks import gpu_sections as sections
from benchmarks import gpu_ways as ways
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

ROOT = Path(__file__).parent.parent
MEDIA = ROOT / "tests" / "media"
SESSIONS = (1, 2, 4, 7)
BATCHES = (1, 4, 8, 16, 32, 64)
CONTRACTS = tuple(f"tests/contract/test_{name}.py" for name in ("decoder_contract", "every_backend", "rows_on_device"))


def main(name: str, path: Path) -> None:
    """Write what a section finds, whole or not at all."""
    gpu = look_for_gpu().gpu
    if gpu is None:
        raise BackendError(look_for_gpu().reason)
    with TemporaryDirectory(prefix="reelwarden-") as folder:
        found = attempt(section(name, gpu, Path(folder)))
    part = path.with_suffix(".part")
    part.write_text(json.dumps(found), "utf-8")
    part.rename(path)


def attempt(section: Callable[[], Any]) -> Any:
    """Return what a section found, or how it failed."""
    try:
        return section()
    except Exception as error:  # noqa: BLE001 - a failure is a finding
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}


def section(name: str, gpu: Gpu, folder: Path) -> Callable[[], Any]:
    """Return what measures a section; files may be made in the folder."""
    threads = usable_threads()
    models = default_models()
    target = Target(most_bytes=int(gpu.memory_bytes * 0.7))
    detector = next(spec for spec in models if spec.name == "nanodet_g_416")
    found: dict[str, Callable[[], Any]] = {
        "doctor": lambda: [asdict(check) for check in examine(load_settings())],
        "kernel_parity": lambda: sections.kernel_parity(GpuPainter(), upload),
        "kernel_speed": _kernel_speed,
        "contracts": contracts,
        "decode": lambda: sections.decode_rates(
            sections.clips(folder, (1920, 1080), 300, ("h264", "hevc", "vp9", "av1")), _many(), SESSIONS, threads
        ),
        "fallback": lambda: sections.fallback_cases(folder, _nvdec()),
        "inference": lambda: inference.inference_rates(models, target, folder, BATCHES, lay, peak_of(gpu.name)),
        "graphs": lambda: ways.graph_rates(models, target, lay, (1, max(BATCHES))),
        "plans": lambda: _plans(gpu),
        "speech": lambda: _speech(gpu),
        "out_of_memory": lambda: inference.out_of_memory(detector, Target(most_bytes=96 << 20)),
        "pipeline": _pipeline,
        "memory": lambda: _memory_kept(folder),
    }
    return found[name]


def _kernel_speed() -> dict[str, Any]:
    painter = GpuPainter()
    return sections.kernel_speed(painter, upload, painter.prepared, painter.seconds_of, _copy_rate())


def _plans(gpu: Gpu) -> Any:
    """Measure TensorRT plans; TensorRT comes from NVIDIA's own index, so there may be none."""
    if importlib.util.find_spec("tensorrt") is None:
        return {"skipped": "TensorRT is not installed: see docs/gpu.md"}
    places, sizes = load_settings().weight_places(), (1, max(BATCHES))
    return ways.plan_rates(default_models(), gpu, places, GpuMemory, lay, sizes)


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


def lay(rows: np.ndarray) -> OnDevice:
    """Copy rows to the GPU's memory."""
    return GpuPainter().hand_over(upload(rows), rows.shape)


def upload(content: np.ndarray) -> GpuBlock:
    """Copy to the GPU's memory, and wait until it is done: the streams of painters do not wait for others."""
    import cupy

    return GpuBlock(cupy.asarray(content.reshape(-1), blocking=True))


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


def contracts() -> dict[str, Any]:
    """Run the tests that are marked gpu, without what other packages of this machine add to pytest or warn of."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-W", "default", "--maxfail", "20", *CONTRACTS]
    alone = {"REELWARDEN_REQUIRE": "gpu", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "300"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **alone}
    )  # fmt: skip
    return {"passed": done.returncode == 0, "summary": (done.stdout + done.stderr).strip().splitlines()[-12:]}


def _pipeline() -> dict[str, Any]:
    """Analyze the sample clip with every visual domain, all on the GPU."""
    settings = load_settings(
        device="cuda", decoder="nvdec", domains="moderation,objects,labels,shots,faces", interval_seconds=0.2
    )
    with Analyzer(settings) as analyzer:
        return sections.pipeline_rates(analyzer, MEDIA / "demo.mp4", _nvdec().sessions.engines)


def _memory_kept(folder: Path) -> dict[str, Any]:
    """Say how much of the GPU's memory is kept when the same work, models loaded anew, is done once more.

    And when as many videos of sizes that were not seen before are decoded once more; there what CuPy keeps counts.
    """
    import cupy

    def free_bytes() -> int:
        gc.collect()
        return int(cupy.cuda.runtime.memGetInfo()[0])

    def free_bytes_emptied() -> int:
        gc.collect()
        cupy.get_default_memory_pool().free_all_blocks()
        return free_bytes()

    runs = sections.bytes_kept([_pipeline, _pipeline], free_bytes_emptied)
    nvdec = _nvdec()
    sets = sections.clips_of_sizes(folder, 2 * (nvdec.sessions.most_idle + 4))
    sizes = sections.bytes_kept([partial(sections.hold, half, nvdec) for half in sets], free_bytes)
    return {
        "bytes_kept_by_a_first_run": runs[0],
        "bytes_kept_by_a_second_run": runs[1],
        "bytes_kept_by_first_sizes": sizes[0],
        "bytes_kept_by_other_sizes": sizes[1],
    }


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
