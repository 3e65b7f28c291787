"""Run the painting kernel: on a GPU, through CuPy. Imported only where a GPU is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

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
        """Wait until all is painted, and return the first bytes of a block."""
        ...


@dataclass(frozen=True, slots=True)
class GpuBlock:
    """Memory of a GPU."""

    array: Any  # cupy.ndarray (S,) uint8

    @property
    def address(self) -> int:
        """Return where it begins."""
        return int(self.array.data.ptr)


class GpuPainter:
    """Paint on the first GPU, on a stream of its own."""

    def __init__(self) -> None:
        import cupy

        self._cupy = cupy
        self._kernel = _kernel()
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self.stream = int(self._stream.ptr)
        self.context = int(cupy.cuda.driver.ctxGetCurrent())

    def allocate(self, size: int) -> Block:
        """Return so many bytes of the GPU's memory."""
        with self._stream:
            return GpuBlock(self._cupy.empty(size, np.uint8))

    def paint(self, jobs: Jobs) -> None:
        """Start the kernel for all jobs at once."""
        across, down = int(jobs["row_width"].max()), int(jobs["row_height"].max())
        blocks = (-(-across // _BLOCK[0]), -(-down // _BLOCK[1]), len(jobs))
        with self._stream:
            told = self._cupy.asarray(jobs.view(np.uint8))
            self._kernel(blocks, _BLOCK, (told,))

    def fetch(self, block: Block, shape: Sequence[int]) -> NDArray[np.uint8]:
        """Copy the first bytes of a block to the host."""
        assert isinstance(block, GpuBlock)  # noqa: S101 - narrows the type
        first = block.array[: int(np.prod(shape))].reshape(shape)
        pixels: NDArray[np.uint8] = first.get(stream=self._stream)
        return pixels


@cache
def _kernel() -> Any:
    """Compile the kernel for the GPU of this machine; CuPy keeps the machine code on disk."""
    import cupy

    module = cupy.RawModule(code=SOURCE.read_text("utf-8"), backend="nvrtc", options=("--std=c++14",))
    return module.get_function(KERNEL)
