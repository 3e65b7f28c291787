"""How much memory an input will take, and how much there is: several are worked on at once while there is room."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_zoo.errors import MediaError
from serve.containers import open_container
from serve.decode.cpu import MOST_DECODERS, MOST_WAITING_BYTES
from serve.limits import Limits
from serve.pipeline import MOST_BATCH_PIXELS

HELD_FRAMES = 17  # by a decoder: H.264 refers back to 16 frames at most
BYTES_OF_A_PIXEL = 3  # 1.5 of 8-bit 4:2:0, twice that of 10 bit; RGB of the frame that is being fitted has 3
WAITING_BATCHES = 5  # 4 ahead of the reader, and the one it works on
FIXED_BYTES = 64_000_000  # index of packets, windows of sound, predictions, the report

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_SHARE = 2  # of what the process may use, one part of so many is for the inputs; the rest is for models and libraries


def estimate_bytes(path: Path, threads: int, limits: Limits) -> int:
    """Return what analyzing a file takes beside the models, from its frame size, by the bounds of the decoder.

    Frames held by the decoders, packets that wait for them (never more than the file has), and batches of fitted
    frames. An upper bound for usual files; a file that cannot be opened takes little.
    """
    try:
        with open_container(path, limits) as container:
            sizes = [stream.width * stream.height for stream in container.streams.video if stream.codec_context]
    except MediaError:
        return FIXED_BYTES
    if not sizes:
        return FIXED_BYTES
    frames = min(threads, MOST_DECODERS) * HELD_FRAMES * max(sizes) * BYTES_OF_A_PIXEL
    packets = min(path.stat().st_size, MOST_WAITING_BYTES)
    return FIXED_BYTES + frames + packets + WAITING_BATCHES * MOST_BATCH_PIXELS * 3


def memory_for_inputs() -> int:
    """Return half of what the process may use: its limit in a container, else the memory of the machine."""
    memory = [_machine_bytes()]
    for path in _CGROUP_LIMITS:
        try:
            memory.append(int(path.read_text("ascii")))
        except (OSError, ValueError):  # there is none, or it says `max`
            continue
    return min(memory) // _SHARE


def _machine_bytes() -> int:
    first = Path("/proc/meminfo").read_text("ascii").splitlines()[0]  # MemTotal:  24000000 kB
    return int(first.split()[1]) * 1024


class Gate:
    """Lets in as many as there is room for; one that is larger than the whole room goes in alone."""

    def __init__(self, total_bytes: int) -> None:
        """Start empty."""
        self._total_bytes = total_bytes
        self._held_bytes = 0
        self._inside = 0
        self._change = threading.Condition()

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Wait for room, and hold it for the block."""
        with self._change:
            self._change.wait_for(lambda: not self._inside or self._held_bytes + size <= self._total_bytes)
            self._held_bytes += size
            self._inside += 1
        try:
            yield
        finally:
            with self._change:
                self._held_bytes -= size
                self._inside -= 1
                self._change.notify_all()
