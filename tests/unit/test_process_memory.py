"""How many inputs are worked on at once: as many as there is memory for."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from serve.limits import Limits
from serve.process.memory import FIXED_BYTES, Gate, estimate_bytes, memory_for_inputs
from tests.conftest import MEDIA


def most_inside(gate: Gate, sizes: list[int]) -> int:
    """Return the most bytes that were inside at once."""
    inside, most, lock = 0, 0, threading.Lock()

    def pass_through(size: int) -> None:
        nonlocal inside, most
        with gate.room(size):
            with lock:
                inside += size
                most = max(most, inside)
            time.sleep(0.02)
            with lock:
                inside -= size

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(pass_through, sizes))
    return most


def test_as_many_are_inside_as_there_is_room_for() -> None:
    assert most_inside(Gate(100), [30] * 12) == 90


def test_one_that_is_too_large_goes_in_alone() -> None:
    assert most_inside(Gate(100), [60, 500, 60, 60]) == 500


def test_the_estimate_grows_with_the_frame_and_the_threads(media: Path) -> None:
    video, limits = media / "demo.mp4", Limits()  # 854x480
    one, two = (estimate_bytes(video, threads, limits) for threads in (1, 2))
    assert two - one == 17 * 854 * 480 * 3
    assert estimate_bytes(MEDIA / "variants" / "demo_audio.m4a", 2, limits) == FIXED_BYTES
    assert estimate_bytes(MEDIA / "variants" / "demo_empty.mp4", 2, limits) == FIXED_BYTES


def test_there_is_some_memory() -> None:
    assert 2**28 < memory_for_inputs() < 2**45
