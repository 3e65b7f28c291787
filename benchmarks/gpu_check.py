"""Measure the whole GPU path on a machine with an NVIDIA GPU: `make gpu-check`.

Every section runs in a process of its own (gpu_here.py): one that hangs, crashes or leaves memory behind is a finding,
and does not touch the others. benchmarks/results/gpu-NAME-DATE.json is written anew after each, beside what other runs
of that day found with the same machine, libraries and commit. At the end the goals are said to be met or missed.
Without a GPU it refuses: nothing is written that was not measured.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.gpu_goals import goals, in_words
from serve.devices import Gpu, look_for_gpu

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
SECTIONS = (
    "doctor",
    "kernel_parity",
    "kernel_speed",
    "contracts",
    "fallback",
    "decode",
    "inference",
    "pipeline",
    "memory",
    "graphs",
    "out_of_memory",
    "speech",
    "plans",
)
PACKAGES = ("onnxruntime-gpu", "onnxruntime", "pynvvideocodec", "cupy-cuda12x", "cupy-cuda13x", "av", "numpy")
MOST_SECTION_SECONDS = 900.0  # building TensorRT plans takes longest
FAILED, NO_GPU = 1, 3


def main(arguments: Sequence[str]) -> int:
    """Run the named sections, or all; return 0 only where none of them failed."""
    parser = argparse.ArgumentParser(prog="gpu_check", description="Measure the GPU path on an NVIDIA GPU.")
    parser.add_argument("sections", nargs="*", help=f"by default all: {', '.join(SECTIONS)}")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="what is not done by then has failed")
    given = parser.parse_args(arguments)
    if unknown := set(given.sections) - set(SECTIONS):
        parser.error(f"no section is called {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    look = look_for_gpu()
    if look.gpu is None:
        print(f"gpu-check needs an NVIDIA GPU: {look.reason}. Nothing was measured or written.", file=sys.stderr)
        return NO_GPU
    name = re.sub(r"[^a-z0-9]+", "-", look.gpu.name.lower()).strip("-")
    path = RESULTS / f"gpu-{name}-{time.strftime('%Y-%m-%d')}.json"
    one = [sys.executable, "-m", "benchmarks.gpu_here"]
    return measure(given.sections or SECTIONS, one, about(look.gpu), path, given.seconds)


def measure(names: Sequence[str], one: Sequence[str], about: dict[str, Any], path: Path, seconds: float) -> int:
    """Run sections by a command that takes the name of one and a file for what it finds; write all into `path`."""
    end = time.monotonic() + seconds
    results: dict[str, Any] = {"about": about, **_found_before(path, about)}
    for name in names:
        start = time.monotonic()
        results[name] = in_a_process([*one, name], min(MOST_SECTION_SECONDS, end - start))
        print(f"{name} ({time.monotonic() - start:.0f} s)", json.dumps(results[name])[:400], flush=True)
        results["goals"] = goals(results)
        path.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print("\n".join(map(in_words, results["goals"])))
    print(f"wrote {path}")
    lost = [name for name in names if failed(results[name])]
    if lost:
        print(f"these sections failed: {', '.join(lost)}", file=sys.stderr)
    return FAILED if lost else 0


def in_a_process(command: Sequence[str], seconds: float) -> Any:
    """Return what a command wrote into the file that it is given, or how it failed; when it is late it is killed."""
    if seconds <= 0:
        return {"failed": "no time was left for it"}
    with TemporaryDirectory(prefix="reelwarden-") as folder:
        found = Path(folder, "found.json")
        process = subprocess.Popen([*command, str(found)], cwd=ROOT, start_new_session=True)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            return {"failed": f"it was not done after {seconds:.0f} s"}
        except BaseException:
            _end(process)
            raise
        if not found.exists():
            return {"failed": f"its process ended with {process.returncode} and said nothing of what it found"}
        return json.loads(found.read_text("utf-8"))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it started; what hangs in the driver may not even die."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)


def failed(found: Any) -> bool:
    """Say whether a section failed, or any part of it, or what it compared was not as it must be."""
    if isinstance(found, dict):
        wrong = "failed" in found or found.get("passed") is False or found.get("same") is False
        return wrong or any(map(failed, found.values()))
    return isinstance(found, list) and any(map(failed, found))


def about(gpu: Gpu) -> dict[str, Any]:
    """Return the machine, the libraries and the commit."""
    return {
        "gpu": gpu.name,
        "sm": gpu.sm,
        "memory_bytes": gpu.memory_bytes,
        "cuda_of_driver": gpu.cuda,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "commit": _commit(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _found_before(path: Path, about: dict[str, Any]) -> dict[str, Any]:
    if not path.exists():
        return {}
    before: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return before if before.get("about") == about else {}


def _commit() -> str:
    """Return the commit; empty where the code lies without its history, or Git is not there."""
    if shutil.which("git") is None:
        return ""
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
