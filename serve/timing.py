"""Where the time of one analysis goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import perf_counter
from typing import TypeVar

Item = TypeVar("Item")


class Stages:
    """Add up wall seconds by stage; `stages("open")` is a context manager. Stages of several threads may overlap."""

    def __init__(self) -> None:
        """Start the clock."""
        self._start = perf_counter()
        self._seconds: dict[str, float] = defaultdict(float)
        self._lock = Lock()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Count the block for `stage`."""
        start = perf_counter()
        try:
            yield
        finally:
            self._add(stage, perf_counter() - start)

    def _add(self, stage: str, seconds: float) -> None:
        with self._lock:
            self._seconds[stage] += seconds

    def waiting(self, stage: str, items: Iterable[Item]) -> Iterator[Item]:
        """Pass items on, counting for `stage` the time each took to arrive."""
        start = perf_counter()
        for item in items:
            self._add(stage, perf_counter() - start)
            yield item
            start = perf_counter()
        self._add(stage, perf_counter() - start)

    def seconds(self) -> dict[str, float]:
        """Return the sums so far, to the millisecond."""
        return {stage: round(seconds, 3) for stage, seconds in self._seconds.items()}

    def wall_seconds(self) -> float:
        """Return the time since the start."""
        return perf_counter() - self._start
