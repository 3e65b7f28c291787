"""TensorRT engines run directly: memory and a stream of our own, batches cut and padded to an engine's profiles."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from model_zoo.engines.build import Said, logger_of
from model_zoo.engines.shapes import Shapes
from model_zoo.errors import BackendError
from model_zoo.manifest import ModelSpec
from model_zoo.values import Given, Rows, Tensor, Tensors
from serve.backends.agreement import noise
from serve.backends.contract import given_rows
from serve.backends.device_lost import check_device, watched_device
from serve.backends.graphs import CAPTURING, batch_sizes
from serve.backends.plan_context import Part, PlanContext, loaded
from serve.backends.plan_memory import Memory


class TensorrtPlanModel:
    """Run a plan; calls of several threads wait for each other."""

    def __init__(
        self,
        spec: ModelSpec,
        plan: bytes,
        trt: Any,
        memory: Memory,
        *,
        most_bytes: int | None = None,
        graphs: bool = False,
    ) -> None:
        """Load a plan for the GPU of this machine, which works in at most so many bytes, with CUDA graphs if asked.

        Raises BackendError with what TensorRT says.
        """
        self._spec, self._memory, self._said = spec, memory, Said()
        self._runtime = trt.Runtime(logger_of(trt, self._said))
        engine = self._runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise BackendError(f"{spec.name}: TensorRT cannot load its engine: {self._said.last or 'no reason given'}")
        self._plan = loaded(spec, engine, trt, memory, self._said, most_bytes)
        self._profiles = _profiles(engine, self._plan.input)
        self._any = PlanContext(self._plan)
        self._captured: dict[int, PlanContext] = {}  # by size of batch
        self._most = max(profile.most[0] for profile in self._profiles)
        self._without = self._halved = ""
        self._lock = threading.Lock()
        if graphs:
            self._capture()

    @property
    def notes(self) -> str:
        """Say what happened that a reader of the report should know; empty where nothing did."""
        return "; ".join(filter(None, (self._without, self._halved)))

    def run(self, tensors: Given) -> Tensors:
        """Return every output with as many rows as the one input; raises BackendError for an input off the contract."""
        rows = given_rows(self._spec, tensors)
        with self._lock, watched_device(self._spec.name):
            if not isinstance(rows, np.ndarray):
                rows.wait(self._memory.stream)
            parts = list(self._parts(rows))
        columns = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
        return dict(zip(self._plan.outputs, columns, strict=True))

    def _capture(self) -> None:
        """Capture a graph for each size of batch, or note why there is none."""
        spec = self._spec
        if spec.sound is None and not (spec.input and spec.input.width and spec.input.height):
            self._without = "without CUDA graphs: it takes rows of any size"
            return
        row = noise(spec)[:1]
        sizes = {self._size(count, row.shape[1:]) for count in batch_sizes(self._most)}
        try:
            with CAPTURING:
                for size in sorted(sizes):
                    context = PlanContext(self._plan)
                    context.run(Part(row, 0, 1, size), self._profile((size, *row.shape[1:])))
                    context.capture()
                    self._captured[size] = context
        except Exception as error:  # noqa: BLE001 - whatever it is, the plan may run without; if not, that tells
            check_device(spec.name, error)
            self._captured.clear()
            self._without = f"without CUDA graphs: {str(error) or type(error).__name__}"

    def _parts(self, rows: Rows) -> Iterator[Sequence[Tensor]]:
        """Yield the outputs of one part of the rows after the other; parts get smaller when the memory is full."""
        sides = rows.shape[1:]
        if len(rows) == 0:  # the shapes of the outputs are still wanted
            none = Part(np.zeros((1, *sides), rows.dtype), 0, 1, self._size(1, sides))
            yield [output[:0] for output in self._infer(none)]
        start = 0
        while start < len(rows):
            count = min(self._most_of(sides), len(rows) - start)
            part = Part(rows, start, count, self._size(count, sides))
            try:
                outputs = self._infer(part)
            except MemoryError as error:
                self._halve(part.size, sides, error)
                continue
            yield [output[:count] for output in outputs]
            start += count

    def _fitting(self, sides: Sequence[int]) -> list[Shapes]:
        """Return the profiles that take rows of these sides; raises BackendError where there is none."""
        fitting = [profile for profile in self._profiles if profile.holds((profile.least[0], *sides))]
        if not fitting:
            ranges = ", ".join(profile.text() for profile in self._profiles)
            raise BackendError(f"{self._spec.name}: its engine takes {ranges}, got rows of {tuple(sides)}")
        return fitting

    def _most_of(self, sides: Sequence[int]) -> int:
        return min(self._most, max(profile.most[0] for profile in self._fitting(sides)))

    def _size(self, count: int, sides: Sequence[int]) -> int:
        """Return the next power of 2, as every new shape takes time, within what a profile takes."""
        size = min(1 << (count - 1).bit_length(), self._most_of(sides))
        return max(size, min(profile.least[0] for profile in self._fitting(sides) if profile.most[0] >= count))

    def _infer(self, part: Part) -> list[Tensor]:
        try:
            return self._captured.get(part.size, self._any).run(part, self._profile(part.shape))
        except BackendError as error:
            raise BackendError(f"{self._spec.name}: inference failed on {part.shape}: {error}") from error

    def _profile(self, shape: Sequence[int]) -> int:
        """Return the profile whose usual number of rows is nearest."""
        fitting = [number for number, profile in enumerate(self._profiles) if profile.holds(shape)]
        if not fitting:
            raise BackendError(f"no profile takes {tuple(shape)}")
        return min(fitting, key=lambda number: abs(self._profiles[number].usual[0] - shape[0]))

    def _halve(self, size: int, sides: Sequence[int], error: MemoryError) -> None:
        """Go on with batches half as large; raises BackendError where no profile takes less already."""
        smaller = max(1, size // 2)
        if self._size(smaller, sides) >= size:  # the profiles leave a gap
            smaller = 1
        if self._size(smaller, sides) >= size:
            raise BackendError(
                f"{self._spec.name}: the GPU's memory is full with a batch of {size} ({error}); run fewer domains "
                "on it, or lower REELWARDEN_GPU_MEMORY_SHARE, so that other models leave more of it"
            ) from error
        self._most = smaller
        self._any = PlanContext(self._plan)  # without the memory of larger batches
        self._halved = f"the GPU's memory was full, so at most {self._most} rows are run at once"


def _profiles(engine: Any, name: str) -> list[Shapes]:
    count = range(engine.num_optimization_profiles)
    return [Shapes(*(tuple(shape) for shape in engine.get_tensor_profile_shape(name, number))) for number in count]
