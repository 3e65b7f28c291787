"""One execution context of a TensorRT engine, with the memory that its input and its outputs lie in."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_zoo.engines.build import Said
from model_zoo.errors import BackendError
from model_zoo.manifest import ModelSpec
from model_zoo.values import Rows, Tensor
from serve.backends.plan_memory import Memory


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the rows, and how many are run: those that are too many hold anything."""

    rows: Rows
    first: int
    count: int
    size: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape that is run."""
        return (self.size, *self.rows.shape[1:])

    def padded(self, rows: Tensor) -> Tensor:
        """Repeat the last row."""
        part = rows[self.first : self.first + self.count]
        return np.concatenate([part, np.repeat(part[-1:], self.size - self.count, axis=0)])


@dataclass(frozen=True, slots=True)
class LoadedPlan:
    """An engine and what its contexts need; they run one after the other, so that they share what they work in."""

    name: str
    engine: Any
    trt: Any
    memory: Memory
    said: Said
    input: str
    outputs: Sequence[str]
    scratch: Any  # a block of the memory
    scratch_bytes: int

    def succeed(self, done: bool) -> None:
        """Raise BackendError with TensorRT's own words where a call failed."""
        if not done:
            raise BackendError(f"TensorRT says {self.said.last or 'nothing'}")


def loaded(spec: ModelSpec, engine: Any, trt: Any, memory: Memory, said: Said, most_bytes: int | None) -> LoadedPlan:
    """Return an engine with the memory it works in.

    Raises BackendError for other inputs and outputs than the manifest's, and where it needs more than `most_bytes`.
    """
    names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
    inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
    outputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.OUTPUT]
    if len(inputs) != 1 or set(spec.outputs) - set(outputs):
        raise BackendError(f"{spec.name}: its engine takes {inputs} and gives {outputs}; build it again")
    size_bytes = int(engine.device_memory_size_v2)
    if most_bytes is not None and size_bytes > most_bytes:
        raise BackendError(
            f"{spec.name}: its engine works in {size_bytes >> 20} MiB of the GPU's memory, and its part is "
            f"{most_bytes >> 20} MiB: run fewer domains on it, or raise REELWARDEN_GPU_MEMORY_SHARE"
        )
    try:
        scratch = memory.allocate(size_bytes)
    except MemoryError as error:
        raise BackendError(f"{spec.name}: the GPU's memory does not hold its engine: {error}") from error
    return LoadedPlan(spec.name, engine, trt, memory, said, inputs[0], outputs, scratch, size_bytes)


@dataclass(slots=True)
class _Block:
    """Memory that is large enough for what it held so far."""

    block: Any = None
    size_bytes: int = 0

    def grow(self, memory: Memory, size_bytes: int) -> int:
        """Return the address of at least so many bytes; raises MemoryError."""
        if self.block is None or size_bytes > self.size_bytes:
            self.block, self.size_bytes = memory.allocate(size_bytes), size_bytes
        return memory.address(self.block)


class PlanContext:
    """Run any batches, or, once a graph is captured, batches of one size only; for one thread at a time."""

    def __init__(self, plan: LoadedPlan) -> None:
        """Open a context. Raises BackendError with what TensorRT says."""
        self._plan, self._memory = plan, plan.memory
        self._context = plan.engine.create_execution_context(plan.trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if self._context is None:
            raise BackendError(f"{plan.name}: TensorRT opens no context: {plan.said.last or 'no reason given'}")
        self._context.set_device_memory(self._memory.address(plan.scratch), plan.scratch_bytes)
        self._profile = 0
        self._input = _Block()
        self._outputs = {name: _Block() for name in plan.outputs}
        self._graph: Callable[[], None] | None = None

    def run(self, part: Part, profile: int) -> list[Tensor]:
        """Return the outputs of a batch; raises BackendError, and MemoryError where the memory is full."""
        if self._graph is None:  # it has settled all that
            self._prepare(part.shape, part.rows.dtype, profile)
        if isinstance(part.rows, np.ndarray):
            self._memory.send(part.padded(part.rows), self._input.block)
        else:  # within the GPU: TensorRT wants an address of its own alignment
            part.rows.copy(part.first, part.count, self._memory.address(self._input.block), self._memory.stream)
        (self._graph or self._execute)()
        return [self._memory.fetch(self._outputs[name].block, *self._told(name)) for name in self._plan.outputs]

    def capture(self) -> None:
        """Capture a graph of what the last run started; raises whatever goes wrong."""
        self._graph = self._memory.capture(self._execute)

    def _prepare(self, shape: Sequence[int], dtype: np.dtype[Any], profile: int) -> None:
        """Tell TensorRT the shape, and where the input and the outputs lie."""
        context, succeed = self._context, self._plan.succeed
        if profile != self._profile:
            succeed(context.set_optimization_profile_async(profile, self._memory.stream))
            self._profile = profile
        succeed(context.set_input_shape(self._plan.input, tuple(shape)))
        there = self._input.grow(self._memory, math.prod(shape) * dtype.itemsize)
        succeed(context.set_tensor_address(self._plan.input, there))
        for name, block in self._outputs.items():
            given, kind = self._told(name)
            if min(given, default=0) < 0:
                raise BackendError(f"the shape of {name} depends on what is seen, which plans do not serve here")
            succeed(context.set_tensor_address(name, block.grow(self._memory, math.prod(given) * kind.itemsize)))

    def _told(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return the shape and the type of an output, for the shape of the input that was told last."""
        kind = np.dtype(self._plan.trt.nptype(self._plan.engine.get_tensor_dtype(name)))
        return tuple(self._context.get_tensor_shape(name)), kind

    def _execute(self) -> None:
        self._plan.succeed(self._context.execute_async_v3(self._memory.stream))
