"""How many cores this process may use: those it is let onto, or fewer where its container has a quota of their time."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("sys/fs/cgroup")


def usable_cores(root: Path = Path("/")) -> float:
    """Return the cores, as a fraction where a quota says so; `root` is where the kernel's files are looked for."""
    cores = float(len(os.sched_getaffinity(0)))
    version_2 = _words(root / _CGROUP / "cpu.max")
    version_1 = [word for name in ("quota", "period") for word in _words(root / _CGROUP / f"cpu/cpu.cfs_{name}_us")]
    for words in (version_2, version_1):
        if len(words) == 2 and all(word.isdecimal() and int(word) for word in words):  # else `max`, or -1: no quota
            cores = min(cores, int(words[0]) / int(words[1]))
    return cores


def threads_for(cores: float) -> int:
    """Return how many threads keep so many cores busy: more would only wait for their turn."""
    return max(1, math.ceil(cores))


def usable_threads() -> int:
    """Return how many threads keep the cores of this process busy."""
    return threads_for(usable_cores())


def _words(path: Path) -> list[str]:
    try:
        return path.read_text("ascii").split()
    except OSError:
        return []
