"""A stand-in for TensorRT's Python module, as far as it is used: its engines are ONNX files that the CPU runs.

Addresses are those of the host's memory. What it is strict about is what TensorRT is strict about: shapes within the
profile that was chosen, addresses for every tensor, memory to work in, plans of its own version. While a graph is
captured nothing is run; starting it runs on the addresses and shapes of then.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable, Sequence
from enum import Enum, IntEnum
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime

VERSION = "10.16.1.11"
_TYPES = {
    "tensor(uint8)": np.uint8,
    "tensor(float)": np.float32,
    "tensor(int64)": np.int64,
    "tensor(float16)": np.float16,
}
Ranges = list[dict[str, list[list[int]]]]  # per profile: input name -> least, usual, most


class HostMemory:
    """Memory of the host in the place of a GPU's."""

    stream = 7

    def __init__(self) -> None:
        self.allocated: list[int] = []
        self.fits = 1 << 40
        self.captured = 0
        self.started = 0  # graphs
        self.captures_at_most = 1 << 40

    def allocate(self, size_bytes: int) -> Any:
        """Return an array of bytes."""
        if size_bytes > self.fits:
            raise MemoryError(f"out of memory allocating {size_bytes} bytes")
        self.allocated.append(size_bytes)
        return np.zeros(max(1, size_bytes), np.uint8)

    def address(self, block: Any) -> int:
        """Return where it begins."""
        return int(block.ctypes.data)

    def send(self, rows: np.ndarray, block: Any) -> None:
        """Copy rows."""
        block[: rows.nbytes] = np.frombuffer(rows.tobytes(), np.uint8)

    def fetch(self, block: Any, shape: Sequence[int], dtype: np.dtype[Any]) -> np.ndarray:
        """Copy the first bytes."""
        size = int(np.prod(shape)) * dtype.itemsize
        return block[:size].copy().view(dtype).reshape(tuple(shape))

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Keep what would be run."""
        global RECORDED
        assert RECORDED is None, "two captures at once"
        RECORDED = recorded = []
        try:
            work()
            if self.captured == self.captures_at_most:
                raise RuntimeError("cudaErrorStreamCaptureUnsupported: operation not permitted")
        finally:
            RECORDED = None
        self.captured += 1

        def start() -> None:
            self.started += 1
            for run in recorded:
                run()

        return start


RECORDED: list[Callable[[], None]] | None = None


def plan_of(content: bytes, profiles: Ranges, version: str = VERSION) -> bytes:
    """Return what the stand-in takes for an engine."""
    return json.dumps({"version": version, "profiles": profiles}).encode() + b"\n" + content


class Logger:
    """tensorrt.ILogger."""

    class Severity(IntEnum):
        """How bad it is."""

        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2


class Mode(Enum):
    """tensorrt.TensorIOMode."""

    INPUT = 1
    OUTPUT = 2


class Context:
    """An IExecutionContext."""

    def __init__(self, engine: PlanEngine) -> None:
        self._engine = engine
        self.profile = 0
        self.switches: list[int] = []
        self.shapes: list[tuple[int, ...]] = []
        self._shape: tuple[int, ...] = ()
        self._addresses: dict[str, int] = {}
        self.works_in: tuple[int, int] | None = None

    def set_device_memory(self, address: int, size_bytes: int) -> None:
        """Remember where to work."""
        assert size_bytes >= self._engine.device_memory_size_v2
        self.works_in = (address, size_bytes)

    def set_optimization_profile_async(self, number: int, _stream: int) -> bool:
        """Take another profile."""
        self.profile = number
        self.switches.append(number)
        return True

    def set_input_shape(self, name: str, shape: Sequence[int]) -> bool:
        """Refuse what the profile does not hold."""
        least, _, most = self._engine.get_tensor_profile_shape(name, self.profile)
        fits = all(low <= side <= high for low, side, high in zip(least, shape, most, strict=True))
        if not fits:
            self._engine.logger.log(Logger.Severity.ERROR, f"setInputShape: {tuple(shape)} is not in the profile")
            return False
        self._shape = tuple(shape)
        self._outputs = self._engine.session.run(None, {name: np.zeros(self._shape, self._engine.input_type)})
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        """Return the shape that follows from the input's."""
        return tuple(self._outputs[self._engine.outputs.index(name)].shape)

    def set_tensor_address(self, name: str, address: int) -> bool:
        """Remember where a tensor lies."""
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        """Read, run, write; now, or when the graph that is captured is started."""
        assert stream == HostMemory.stream
        assert set(self._addresses) == {self._engine.input, *self._engine.outputs}
        assert self.works_in is not None
        run = partial(self._run, dict(self._addresses), self._shape)
        if RECORDED is None:
            run()
        else:
            RECORDED.append(run)
        return True

    def _run(self, addresses: dict[str, int], shape: tuple[int, ...]) -> None:
        self.shapes.append(shape)
        rows = _at(addresses[self._engine.input], shape, self._engine.input_type)
        outputs = self._engine.session.run(None, {self._engine.input: rows})
        for name, output in zip(self._engine.outputs, outputs, strict=True):
            _at(addresses[name], output.shape, output.dtype)[...] = output


class PlanEngine:
    """An ICudaEngine."""

    device_memory_size_v2 = 4096

    def __init__(self, content: bytes, profiles: Ranges, logger: Any) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.logger = logger
        self._profiles = profiles
        taken = self.session.get_inputs()[0]
        self.input, self.input_type = taken.name, _TYPES[taken.type]
        self.outputs = [output.name for output in self.session.get_outputs()]
        self._types = {output.name: _TYPES[output.type] for output in self.session.get_outputs()}
        self.num_io_tensors = 1 + len(self.outputs)
        self.num_optimization_profiles = len(profiles)
        self.contexts: list[Context] = []

    def get_tensor_name(self, number: int) -> str:
        """Return inputs first."""
        return [self.input, *self.outputs][number]

    def get_tensor_mode(self, name: str) -> Mode:
        """Say what it is."""
        return Mode.INPUT if name == self.input else Mode.OUTPUT

    def get_tensor_dtype(self, name: str) -> Any:
        """Return what `nptype` takes."""
        return self._types[name]

    def get_tensor_profile_shape(self, name: str, number: int) -> list[tuple[int, ...]]:
        """Return least, usual, most."""
        return [tuple(shape) for shape in self._profiles[number][name]]

    def create_execution_context(self, strategy: str) -> Context:
        """Return a context, and remember it for the test."""
        assert strategy == "user managed"
        self.contexts.append(Context(self))
        return self.contexts[-1]


class Runtime:
    """tensorrt.Runtime."""

    engines: list[PlanEngine]

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def deserialize_cuda_engine(self, plan: bytes) -> PlanEngine | None:
        """Refuse a plan of another version, as TensorRT does: with a log line, and None."""
        head, content = plan.split(b"\n", 1)
        told = json.loads(head)
        if told["version"] != VERSION:
            message = f"engine of version {told['version']}, expecting {VERSION}"
            self._logger.log(Logger.Severity.ERROR, message)
            return None
        ENGINES.append(PlanEngine(content, told["profiles"], self._logger))
        return ENGINES[-1]


ENGINES: list[PlanEngine] = []


class TimingCache(SimpleNamespace):
    """An ITimingCache: what was measured, as bytes."""

    def serialize(self) -> bytes:
        """Return them, with a mark for every build."""
        return bytes(self.known) + b"timed;"


class Config(SimpleNamespace):
    """An IBuilderConfig."""

    def set_memory_pool_limit(self, _pool: Any, size_bytes: int) -> None:
        """Remember it."""
        self.workspace_bytes = size_bytes

    def add_optimization_profile(self, profile: Any) -> int:
        """Remember it."""
        self.profiles = [*getattr(self, "profiles", []), profile]
        return len(self.profiles) - 1

    def create_timing_cache(self, known: bytes) -> TimingCache:
        """Return a cache with what is known."""
        return TimingCache(known=known)

    def set_timing_cache(self, cache: TimingCache, *, ignore_mismatch: bool) -> bool:
        """Refuse what another GPU measured."""
        if cache.known.startswith(b"other") and not ignore_mismatch:
            return False
        self.timing = cache
        return True

    def get_timing_cache(self) -> TimingCache:
        """Return the cache."""
        return self.timing


class Profile(SimpleNamespace):
    """An IOptimizationProfile."""

    def set_shape(self, name: str, least: Sequence[int], usual: Sequence[int], most: Sequence[int]) -> None:
        """Remember it."""
        self.ranges = getattr(self, "ranges", {}) | {name: [list(least), list(usual), list(most)]}


class Builder:
    """tensorrt.Builder; `meanwhile` is called in the middle of every build."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)
    configs: list[Config]

    def __init__(self, _logger: Any) -> None: ...

    def create_network(self, flags: int) -> Any:
        """Return a network that a parser fills; it must be strongly typed."""
        assert flags == 1 << 1
        return SimpleNamespace()

    def create_builder_config(self) -> Config:
        """Return a config."""
        return Config()

    def create_optimization_profile(self) -> Profile:
        """Return a profile."""
        return Profile()

    def build_serialized_network(self, network: Any, config: Config) -> bytes:
        """Tell of the progress and return a plan."""
        CONFIGS.append(config)
        config.progress_monitor.phase_start("Building engine", None, 3)
        for step in range(3):
            Builder.meanwhile()
            assert config.progress_monitor.step_complete("Building engine", step)
        config.progress_monitor.phase_finish("Building engine")
        return plan_of(network.content, [profile.ranges for profile in config.profiles])


CONFIGS: list[Config] = []


class Parser:
    """tensorrt.OnnxParser."""

    num_errors = 0

    def __init__(self, network: Any, _logger: Any) -> None:
        self._network = network

    def parse(self, content: bytes) -> bool:
        """Read inputs."""
        graph = onnx.load_model_from_string(content).graph
        inputs = [
            SimpleNamespace(
                name=one.name,
                shape=[side.dim_value if side.HasField("dim_value") else -1 for side in one.type.tensor_type.shape.dim],
            )
            for one in graph.input
        ]
        self._network.content = content
        self._network.num_inputs = len(inputs)
        self._network.get_input = inputs.__getitem__
        return True


def module(version: str = VERSION) -> Any:
    """Return what `import tensorrt` would."""
    return SimpleNamespace(
        __name__="tensorrt",
        __version__=version,
        ILogger=type("ILogger", (), {"__init__": lambda self: None, "Severity": Logger.Severity}),
        IProgressMonitor=type("IProgressMonitor", (), {"__init__": lambda self: None}),
        Runtime=Runtime,
        Builder=Builder,
        OnnxParser=Parser,
        TensorIOMode=Mode,
        ExecutionContextAllocationStrategy=SimpleNamespace(USER_MANAGED="user managed"),
        MemoryPoolType=SimpleNamespace(WORKSPACE=0),
        NetworkDefinitionCreationFlag=SimpleNamespace(STRONGLY_TYPED=1),
        HardwareCompatibilityLevel=SimpleNamespace(
            NONE="none", SAME_COMPUTE_CAPABILITY="same capability", AMPERE_PLUS="ampere and newer"
        ),
        nptype=lambda kind: kind,
    )


def _at(address: int, shape: Sequence[int], dtype: Any) -> np.ndarray:
    """Return the array that lies at an address."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_uint8 * size).from_address(address), dtype).reshape(tuple(shape))
