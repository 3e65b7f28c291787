"""Run the painting kernel: on a GPU, through CuPy. Imported only where a GPU is used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from model_zoo.values import OnDevice
from serve.decode.jobs import Jobs

SOURCE = Path(__file__).with_name("paint.cu")
KERNEL = "paint"
_BLOCK = (32, 8, 1)  # pixels of a row that a block of threads computes


class Block(Protocol):
    """A stretch of memory that the kernel writes into."""

    @property
    def address(self) -> int:
        """Return where it begins."""
        ...


class Painter(Protocol):
    """Where jobs are painted. All it does for one video happens in order, on one stream."""

    stream: int  # CUDA's handle
    context: int

    def allocate(self, size: int) -> Block:
        """Return so many bytes."""
        ...

    def paint(self, jobs: Jobs) -> None:
        """Start painting; the surfaces of the jobs may be written over by what is started on the stream later."""
        ...

    def fetch(self, block: Block, shape: Sequence[int]) -> NDArray[np.uint8]:
        """Wait until all is painted, and return a copy of the first bytes of a block."""
        ...

    def hand_over(self, block: Block, shape: tuple[int, ...]) -> OnDevice:
        """Give a block away with all that is painted into it; its memory is used again when the rows are let go."""
        ...


@dataclass(frozen=True, slots=True)
class GpuBlock:
    """Memory of a GPU. CuPy keeps what is let go and gives it to the next block of the same stream."""

    array: Any  # cupy.ndarray (S,) uint8

    @property
    def address(self) -> int:
        """Return where it begins."""
        return int(self.array.data.ptr)


class GpuRows:
    """Rows in a GPU's memory, ready when an event has come to pass."""

    dtype = np.dtype(np.uint8)

    def __init__(self, block: GpuBlock, shape: tuple[int, ...], ready: Any, copies: Any) -> None:
        """Take the cupy.cuda.Event, and the cupy.cuda.Stream that copies to the host."""
        self.shape, self.address = shape, block.address
        self.room = block.array.size // int(np.prod(shape[1:]))
        self._block, self._ready, self._copies = block, ready, copies
        self._pixels: NDArray[np.uint8] | None = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self.shape[0]

    def wait(self, stream: int | None) -> None:
        """Let a CUDA stream, or the caller, wait for the event."""
        import cupy

        if stream is None:
            self._ready.synchronize()
        else:
            cupy.cuda.runtime.streamWaitEvent(stream, self._ready.ptr)

    def copy(self, first: int, count: int, address: int, stream: int | None) -> None:
        """Copy within the GPU's memory, in its turn on a CUDA stream; without one, until it is done."""
        import cupy

        row_bytes = int(np.prod(self.shape[1:]))
        runtime = cupy.cuda.runtime
        start = self.address + first * row_bytes
        runtime.memcpyAsync(address, start, count * row_bytes, runtime.memcpyDeviceToDevice, stream or 0)
        if stream is None:
            runtime.streamSynchronize(0)

    def on_host(self) -> NDArray[np.uint8]:
        """Copy to the host, once."""
        with self._lock:
            if self._pixels is None:
                self._copies.wait_event(self._ready)
                rows = self._block.array[: int(np.prod(self.shape))].reshape(self.shape)
                self._pixels = rows.get(stream=self._copies)
            return self._pixels


class GpuPainter:
    """Paint on the first GPU, on a stream of its own."""

    def __init__(self) -> None:
        import cupy

        self._cupy = cupy
        self._kernel = _kernel()
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self._copies = cupy.cuda.Stream(non_blocking=True)  # not behind what is painted meanwhile
        self.stream = int(self._stream.ptr)
        self.context = int(cupy.cuda.driver.ctxGetCurrent())

    def allocate(self, size: int) -> Block:
        """Return so many bytes of the GPU's memory."""
        with self._stream:
            return GpuBlock(self._cupy.empty(size, np.uint8))

    def paint(self, jobs: Jobs) -> None:
        """Start the kernel for all jobs at once."""
        self.prepared(jobs)()

    def prepared(self, jobs: Jobs) -> Callable[[], None]:
        """Copy jobs to the GPU; return what starts the kernel for all of them at once."""
        across, down = int(jobs["row_width"].max()), int(jobs["row_height"].max())
        blocks = (-(-across // _BLOCK[0]), -(-down // _BLOCK[1]), len(jobs))
        with self._stream:
            told = self._cupy.asarray(jobs.view(np.uint8))

        def start() -> None:
            with self._stream:
                self._kernel(blocks, _BLOCK, (told,))

        return start

    def seconds_of(self, work: Callable[[], None], times: int) -> float:
        """Return how long the GPU takes for work that is started on the stream so many times, by its own clock."""
        before, after = self._cupy.cuda.Event(), self._cupy.cuda.Event()
        before.record(self._stream)
        for _ in range(times):
            work()
        after.record(self._stream)
        after.synchronize()
        return float(self._cupy.cuda.get_elapsed_time(before, after)) / 1000

    def fetch(self, block: Block, shape: Sequence[int]) -> NDArray[np.uint8]:
        """Copy the first bytes of a block to the host."""
        assert isinstance(block, GpuBlock)  # noqa: S101 - narrows the type
        first = block.array[: int(np.prod(shape))].reshape(shape)
        pixels: NDArray[np.uint8] = first.get(stream=self._stream)
        return pixels

    def hand_over(self, block: Block, shape: tuple[int, ...]) -> OnDevice:
        """Mark the place on the stream where the rows are ready; nothing waits here."""
        assert isinstance(block, GpuBlock)  # noqa: S101 - narrows the type
        ready = self._cupy.cuda.Event(disable_timing=True)
        ready.record(self._stream)
        return GpuRows(block, shape, ready, self._copies)


@cache
def _kernel() -> Any:
    """Compile the kernel for the GPU of this machine; CuPy keeps the machine code on disk."""
    import cupy

    module = cupy.RawModule(code=SOURCE.read_text("utf-8"), backend="nvrtc", options=("--std=c++14",))
    return module.get_function(KERNEL)
