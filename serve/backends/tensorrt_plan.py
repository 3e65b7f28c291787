"""TensorRT engines run directly: memory and a stream of our own, batches cut and padded to an engine's profiles."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from model_zoo.engines.build import Said, logger_of
from model_zoo.engines.shapes import Shapes
from model_zoo.errors import BackendError
from model_zoo.manifest import ModelSpec
from model_zoo.values import Given, Rows, Tensor, Tensors
from serve.backends.contract import given_rows
from serve.backends.device_lost import watched_device


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


@dataclass(slots=True)
class _Output:
    """An output, and memory that is large enough for what it gave so far."""

    name: str
    dtype: np.dtype[Any]
    block: Any = None
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Part:
    """Some of the rows, and how many are run: those that are too many hold anything."""

    rows: Rows
    first: int
    count: int
    size: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.size, *self.rows.shape[1:])

    def padded(self, rows: Tensor) -> Tensor:
        """Repeat the last row."""
        part = rows[self.first : self.first + self.count]
        return np.concatenate([part, np.repeat(part[-1:], self.size - self.count, axis=0)])


class TensorrtPlanModel:
    """Run a plan; calls of several threads wait for each other."""

    def __init__(self, spec: ModelSpec, plan: bytes, trt: Any, memory: Memory) -> None:
        """Load a plan for the GPU of this machine; raises BackendError with what TensorRT says."""
        self._spec, self._memory, self._said = spec, memory, Said()
        self._runtime = trt.Runtime(logger_of(trt, self._said))
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise BackendError(f"{spec.name}: TensorRT cannot load its engine: {self._said.last or 'no reason given'}")
        inputs, outputs = _tensors(self._engine, trt)
        if len(inputs) != 1 or set(spec.outputs) - set(outputs):
            raise BackendError(f"{spec.name}: its engine takes {inputs} and gives {outputs}; build it again")
        self._input = inputs[0]
        self._outputs = [_Output(name, np.dtype(trt.nptype(self._engine.get_tensor_dtype(name)))) for name in outputs]
        self._profiles = _profiles(self._engine, self._input)
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise BackendError(f"{spec.name}: the GPU's memory does not hold its engine: {self._said.last}")
        self._profile = 0
        self._sent, self._sent_bytes = None, 0
        self._lock = threading.Lock()

    def run(self, tensors: Given) -> Tensors:
        """Return every output with as many rows as the one input; raises BackendError for an input off the contract."""
        rows = given_rows(self._spec, tensors)
        with self._lock, watched_device(self._spec.name):
            if not isinstance(rows, np.ndarray):
                rows.wait(self._memory.stream)
            parts = list(self._parts(rows))
        names = [output.name for output in self._outputs]
        return dict(zip(names, [np.concatenate(columns) for columns in zip(*parts, strict=True)], strict=True))

    def _parts(self, rows: Rows) -> Iterator[Sequence[Tensor]]:
        sides = rows.shape[1:]
        if len(rows) == 0:  # the shapes of the outputs are still wanted
            least = min(profile.least[0] for profile in self._fitting(sides))
            none = _Part(np.zeros((1, *sides), rows.dtype), 0, 1, least)
            yield [output[:0] for output in self._infer(none)]
        most = max(profile.most[0] for profile in self._fitting(sides))
        for start in range(0, len(rows), most):
            count = min(most, len(rows) - start)
            part = _Part(rows, start, count, self._size(count, sides))
            yield [output[:count] for output in self._infer(part)]

    def _fitting(self, sides: Sequence[int]) -> list[Shapes]:
        """Return the profiles that take rows of these sides; raises BackendError where there is none."""
        fitting = [profile for profile in self._profiles if profile.holds((profile.least[0], *sides))]
        if not fitting:
            ranges = ", ".join(profile.text() for profile in self._profiles)
            raise BackendError(f"{self._spec.name}: its engine takes {ranges}, got rows of {tuple(sides)}")
        return fitting

    def _size(self, count: int, sides: Sequence[int]) -> int:
        """Return the next power of 2, as every new shape takes time, within what a profile takes."""
        fitting = self._fitting(sides)
        size = min(1 << (count - 1).bit_length(), max(profile.most[0] for profile in fitting))
        return max(size, min(profile.least[0] for profile in fitting if profile.most[0] >= count))

    def _infer(self, part: _Part) -> list[Tensor]:
        try:
            self._choose_profile(part.shape)
            self._bind(part)
            self._succeed(self._context.execute_async_v3(self._memory.stream))
            shapes = [tuple(self._context.get_tensor_shape(output.name)) for output in self._outputs]
            return [
                self._memory.fetch(output.block, shape, output.dtype)
                for output, shape in zip(self._outputs, shapes, strict=True)
            ]
        except MemoryError as error:
            raise BackendError(
                f"{self._spec.name}: the GPU's memory is full with a batch of {part.size} ({error}); run fewer domains "
                "on it, or lower REELWARDEN_GPU_MEMORY_SHARE, so that other models leave more of it"
            ) from error
        except BackendError as error:
            raise BackendError(f"{self._spec.name}: inference failed on {part.shape}: {error}") from error

    def _succeed(self, done: bool) -> None:
        if not done:
            raise BackendError(f"TensorRT says {self._said.last or 'nothing'}")

    def _choose_profile(self, shape: Sequence[int]) -> None:
        """Take the profile whose usual number of rows is nearest."""
        fitting = [number for number, profile in enumerate(self._profiles) if profile.holds(shape)]
        if not fitting:
            raise BackendError(f"no profile takes {tuple(shape)}")
        nearest = min(fitting, key=lambda number: abs(self._profiles[number].usual[0] - shape[0]))
        if nearest != self._profile:
            self._context.set_optimization_profile_async(nearest, self._memory.stream)
            self._profile = nearest

    def _bind(self, part: _Part) -> None:
        """Send the rows, and tell TensorRT where they and the outputs lie."""
        size_bytes = math.prod(part.shape) * part.rows.dtype.itemsize
        if size_bytes > self._sent_bytes:
            self._sent, self._sent_bytes = self._memory.allocate(size_bytes), size_bytes
        if isinstance(part.rows, np.ndarray):
            self._memory.send(part.padded(part.rows), self._sent)
        else:  # within the GPU: TensorRT wants an address of its own alignment
            part.rows.copy(part.first, part.count, self._memory.address(self._sent), self._memory.stream)
        self._succeed(self._context.set_input_shape(self._input, part.shape))
        self._context.set_tensor_address(self._input, self._memory.address(self._sent))
        for output in self._outputs:
            shape = tuple(self._context.get_tensor_shape(output.name))
            if min(shape, default=0) < 0:
                raise BackendError(f"the shape of {output.name} depends on what is seen, which plans do not serve here")
            size_bytes = int(np.prod(shape)) * output.dtype.itemsize
            if output.block is None or size_bytes > output.size_bytes:
                output.block, output.size_bytes = self._memory.allocate(size_bytes), size_bytes
            self._context.set_tensor_address(output.name, self._memory.address(output.block))


def _tensors(engine: Any, trt: Any) -> tuple[list[str], list[str]]:
    """Return the names of the inputs and of the outputs."""
    names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
    modes = {name: engine.get_tensor_mode(name) for name in names}
    return (
        [name for name in names if modes[name] == trt.TensorIOMode.INPUT],
        [name for name in names if modes[name] == trt.TensorIOMode.OUTPUT],
    )


def _profiles(engine: Any, name: str) -> list[Shapes]:
    count = range(engine.num_optimization_profiles)
    return [Shapes(*(tuple(shape) for shape in engine.get_tensor_profile_shape(name, number))) for number in count]
