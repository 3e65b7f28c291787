"""Let one process do what several would do at once; the others wait until it is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

_ASK_AGAIN_SECONDS = 1.0


def acquired(path: Path, waiting: Callable[[], None]) -> FileLock:
    """Return the lock of this file, held by this thread; `waiting` is called every second until it is.

    A process that ends, however it ends, lets go of its locks. Raises OSError where the file cannot be written.
    """
    lock = FileLock(path)
    while not lock.is_locked:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=_ASK_AGAIN_SECONDS)
        except Timeout:
            waiting()
    return lock
