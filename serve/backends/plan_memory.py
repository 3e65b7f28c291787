"""Memory of a GPU and a stream for TensorRT plans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from model_zoo.values import Tensor
from serve.backends.graphs import end_capture


class Memory(Protocol):
    """Memory of one GPU, and a stream on which all happens in order; the host stands in for it in tests."""

    stream: int  # CUDA's handle

    def allocate(self, size_bytes: int) -> Any:
        """Return a block of memory; raises MemoryError where it is full."""
        ...

    def address(self, block: Any) -> int:
        """Return where a block begins."""
        ...

    def send(self, rows: Tensor, block: Any) -> None:
        """Start to copy rows into a block."""
        ...

    def fetch(self, block: Any, shape: Sequence[int], dtype: np.dtype[Any]) -> Tensor:
        """Wait until all is done, and return a copy of the first bytes of a block."""
        ...

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Wait until all is done, record what `work` starts on the stream, and return what starts all that.

        Raises whatever goes wrong; the capture is ended.
        """
        ...


class GpuMemory:
    """The first GPU's memory, by CuPy."""

    def __init__(self) -> None:
        import cupy

        self._cupy = cupy
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self.stream = int(self._stream.ptr)

    def allocate(self, size_bytes: int) -> Any:
        """Return an array of bytes."""
        try:
            with self._stream:
                return self._cupy.empty(max(1, size_bytes), np.uint8)
        except self._cupy.cuda.memory.OutOfMemoryError as error:
            raise MemoryError(str(error)) from error

    def address(self, block: Any) -> int:
        """Return the device pointer."""
        return int(block.data.ptr)

    def send(self, rows: Tensor, block: Any) -> None:
        """Copy to the device, in the stream's turn."""
        block[: rows.nbytes].set(np.frombuffer(rows.tobytes(), np.uint8), stream=self._stream)

    def fetch(self, block: Any, shape: Sequence[int], dtype: np.dtype[Any]) -> Tensor:
        """Copy to the host; this waits for the stream."""
        size = int(np.prod(shape)) * dtype.itemsize
        fetched: Tensor = block[:size].get(stream=self._stream).view(dtype).reshape(tuple(shape))
        return fetched

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Capture a CUDA graph; what other threads do meanwhile on other streams is no matter."""
        self._stream.synchronize()
        self._stream.begin_capture(self._cupy.cuda.runtime.streamCaptureModeThreadLocal)
        try:
            work()
        except BaseException:
            end_capture(self._stream)
            raise
        graph = self._stream.end_capture()
        return lambda: graph.launch(self._stream)
