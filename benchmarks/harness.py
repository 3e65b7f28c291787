"""Measure cases side by side in one process, take medians, and write the figures with the machine they belong to."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from time import perf_counter

from serve.cores import usable_threads

RESULTS = Path(__file__).resolve().parent / "results"
REPEATS = 3


@dataclass(frozen=True, slots=True)
class Case:
    """Something to measure; `run` returns how many frames (or other units) it dealt with."""

    name: str
    run: Callable[[], int]
    server: int | None = None  # the process that works for it, whose CPU time counts, too


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians over the repeats; ratios are the peer's time divided by this case's, so more is better."""

    case: str
    units: int
    wall_seconds: float
    cpu_seconds: float
    wall_ratio: float
    cpu_ratio: float
    wall_spread: tuple[float, float]  # fastest and slowest run


def compare(cases: Sequence[Case], peer: str, repeats: int = REPEATS) -> list[Figure]:
    """Run every case `repeats` times in turns, so that a noisy moment hits all alike, after one run to warm up."""
    walls: dict[str, list[float]] = {case.name: [] for case in cases}
    cpus: dict[str, list[float]] = {case.name: [] for case in cases}
    units = {}
    for repeat in range(-1, repeats):
        for case in cases:
            wall, cpu, units[case.name] = _once(case)
            if repeat >= 0:
                walls[case.name].append(wall)
                cpus[case.name].append(cpu)
    wall = {name: statistics.median(values) for name, values in walls.items()}
    cpu = {name: statistics.median(values) for name, values in cpus.items()}
    return [
        Figure(
            case=name,
            units=units[name],
            wall_seconds=round(wall[name], 4),
            cpu_seconds=round(cpu[name], 4),
            wall_ratio=round(wall[peer] / wall[name], 3),
            cpu_ratio=round(cpu[peer] / cpu[name], 3),
            wall_spread=(round(min(walls[name]), 4), round(max(walls[name]), 4)),
        )
        for name in walls
    ]


def write(name: str, method: str, tables: dict[str, tuple[str, list[Figure]]], **more: object) -> Path:
    """Write benchmarks/results/NAME.json and print the tables; `tables` is title -> (peer, figures)."""
    document = {
        "benchmark": name,
        "method": method,
        "machine": machine(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "tables": {
            title: {"peer": peer, "figures": [asdict(f) for f in figures]} for title, (peer, figures) in tables.items()
        },
    } | more
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    for title, (peer, figures) in tables.items():
        print(f"\n{title} (ratio: times faster than {peer})")
        for f in figures:
            print(f"  {f.case:48} {f.units:6} units  {f.wall_seconds:8.3f} s wall  {f.cpu_seconds:8.3f} s cpu"
                  f"  {f.wall_ratio:6.2f} x wall  {f.cpu_ratio:6.2f} x cpu")  # fmt: skip
    print(f"-> {path.relative_to(Path.cwd())}")
    return path


def machine() -> dict[str, object]:
    """Return what a figure depends on: processor, cores, versions, commit."""
    processor = next((line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")), "unknown")
    names = ("reelwarden", "av", "onnxruntime", "numpy", "opencv-python-headless")
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return {
        "processor": processor,
        "cores": usable_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in names},
        "commit": commit.stdout.strip(),
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def _once(case: Case) -> tuple[float, float, int]:
    cpu, wall = _cpu_seconds(case.server), perf_counter()
    units = case.run()
    return perf_counter() - wall, _cpu_seconds(case.server) - cpu, units


def _cpu_seconds(server: int | None) -> float:
    """Return the CPU time of this process, its threads and its finished children, and of a running server."""
    usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    own = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return own if server is None else own + _process_cpu_seconds(server)


def _process_cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
