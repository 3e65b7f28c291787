"""ONNX Runtime on an NVIDIA GPU: batches of a few fixed sizes, bound to memory of the device, halved when it is full.

A batch is padded to the next of the sizes 1, 2, 4 ..., so that cuDNN searches and CUDA graphs are captured a few times
only (onnx_graphs.py). Every session has a CUDA stream of its own; calls of several threads wait for each other. Rows
that lie on the device are read where they are, once the stream that makes them has come so far.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from model_zoo.errors import BackendError
from model_zoo.manifest import ModelSpec
from model_zoo.qdq import run_as_written
from model_zoo.values import Given, OnDevice, Rows, Tensor, Tensors
from serve.backends.agreement import MOST_SHARE, noise, share_of_difference
from serve.backends.contract import given_rows
from serve.backends.cuda_stream import handle_of, new_stream
from serve.backends.device_lost import check_device, watched_device
from serve.backends.front import cast_first, with_front
from serve.backends.graphs import batch_sizes, end_capture

PROVIDER = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
_NEEDS = {PROVIDER: "CUDA provider; are CUDA 12 and cuDNN 9", TENSORRT: "TensorRT provider; is TensorRT 10"}
_PART_FULL = "available memory of"  # of the session's own part: it is smaller than what is requested
_FULL = (
    *(_PART_FULL, "failed to allocate memory", "out of memory", "cuda failure 2:", "bfcarena"),
    *("cublas_status_alloc_failed", "cudnn_status_alloc_failed", "allocation_failed"),  # the last is cuDNN 9's
)
_NO_GRAPH = "-1"


@dataclass(frozen=True, slots=True)
class Target:
    """Where sessions run; the CPU stands in for a GPU where there is none, with all else the same."""

    provider: str = PROVIDER
    memory: str = "cuda"  # as ONNX Runtime names it
    most_bytes: int | None = None  # of memory that one session may hold
    graphs: bool = False  # CUDA graphs can be captured
    tensorrt: Mapping[str, str] = field(default_factory=dict)  # what its provider is told

    def providers(self, stream: int | None = None) -> list[Any]:
        """Return what ONNX Runtime is told; it works on the CUDA stream of this handle, or on one that it makes."""
        if self.provider not in _NEEDS:
            return [self.provider]
        options: dict[str, str] = {
            "device_id": "0",
            "arena_extend_strategy": "kSameAsRequested",  # by default the arena doubles, and starves other models
            "cudnn_conv_algo_search": "HEURISTIC",  # an exhaustive search takes seconds for every size of batch
            "enable_cuda_graph": str(int(self.graphs)),
        }
        compiled = dict(self.tensorrt)
        if stream is not None:
            options["user_compute_stream"] = compiled["user_compute_stream"] = str(stream)
        if self.most_bytes is not None:
            options["gpu_mem_limit"] = str(self.most_bytes)
        first = [(TENSORRT, compiled)] if self.provider == TENSORRT else []
        return [*first, (PROVIDER, options), "CPUExecutionProvider"]  # CUDA runs what TensorRT leaves over


class OnnxCudaModel:
    """Run an ONNX file on the first GPU."""

    def __init__(self, spec: ModelSpec, path: Path, target: Target) -> None:
        """Load `path`, whose pictures are made uint8 RGB. Raises BackendError, also where no GPU takes it."""
        self._spec, self._target = spec, target
        stream = new_stream() if target.memory == "cuda" else None
        content = with_front(spec, path)
        if target.provider == TENSORRT:
            content = cast_first(content)
        self._session = _open(spec, content, target, handle_of(stream))
        self._outputs = [output.name for output in self._session.get_outputs()]
        missing = set(spec.outputs) - set(self._outputs)
        if missing:
            raise BackendError(
                f"{spec.name}: {path.name} has outputs {self._outputs}, models.toml wants {sorted(missing)}"
            )
        self._fixed = spec.sound is not None or bool(spec.input and spec.input.width and spec.input.height)
        self._most = max(1, spec.batch.most)
        self._bound: dict[int, _Bound] = {}
        self._lock = threading.Lock()
        self._halved = ""
        self._stream = stream  # last of all, as attributes are let go in order: the session must not outlive it

    @property
    def notes(self) -> str:
        """Say what happened that a reader of the report should know; empty where nothing did."""
        return self._halved

    def capture(self) -> None:
        """Capture a CUDA graph for each size of batch; later runs, which must be of this thread, start those.

        Raises BackendError where it takes rows of any size, or graphs cannot be captured or answer otherwise than a
        plain run; MemoryError where the memory is full.
        """
        if not self._fixed:
            raise BackendError(f"{self._spec.name} takes rows of any size")
        try:
            for size in batch_sizes(self._most):
                rows = np.resize(noise(self._spec), (size, *noise(self._spec).shape[1:]))
                plain = [np.array(output) for output in self._infer(rows)]
                self._bound[size].capture_next()
                self._infer(np.zeros_like(rows))
                self._compare(plain, self._infer(rows))
        except BaseException:
            end_capture(self._stream)
            raise

    def _compare(self, plain: Sequence[Tensor], replayed: Sequence[Tensor]) -> None:
        differs = max(share_of_difference(*both) for both in zip(plain, replayed, strict=True))
        if not differs <= MOST_SHARE:
            raise BackendError(f"{self._spec.name}: its graph's answers differ by {differs:.2g} of their largest value")

    def run(self, tensors: Given) -> Tensors:
        """Return every output with as many rows as the one input; raises BackendError for an input off the contract."""
        rows = given_rows(self._spec, tensors)
        with self._lock, watched_device(self._spec.name):
            if not isinstance(rows, np.ndarray):
                rows.wait(handle_of(self._stream))
            parts = list(self._parts(rows))
        return dict(zip(self._outputs, [np.concatenate(columns) for columns in zip(*parts, strict=True)], strict=True))

    def _parts(self, rows: Rows) -> Iterator[Sequence[Tensor]]:
        """Yield the outputs of one part of the rows after the other; parts get smaller when the memory is full."""
        if len(rows) == 0:  # the shapes of the outputs are still wanted
            whole = self._infer(np.zeros((1, *rows.shape[1:]), rows.dtype))
            yield [output[:0] for output in whole]
        start = 0
        while start < len(rows):
            count = min(self._most, len(rows) - start)
            try:
                outputs = self._infer(_padded(rows, start, count, self._most))
            except MemoryError as error:
                self._halve(error)
                continue
            yield [output[:count] for output in outputs]
            start += count

    def _infer(self, rows: Tensor | _There) -> Sequence[Tensor]:
        """Run a padded batch; raises MemoryError where the memory is full, DeviceLostError or another BackendError."""
        try:
            count = rows.shape[0]
            if not self._fixed:
                return self._binding().run(rows)
            if count not in self._bound:
                self._bound[count] = self._binding()
            return self._bound[count].run(rows)
        except Exception as error:
            check_device(self._spec.name, error)
            if any(word in str(error).lower() for word in _FULL):
                raise MemoryError(_first_line(error)) from error
            raise BackendError(f"{self._spec.name}: inference failed on {rows.shape}: {_first_line(error)}") from error

    def _binding(self) -> _Bound:
        return _Bound(self._session, self._target, handle_of(self._stream))

    def _halve(self, error: MemoryError) -> None:
        """Go on with batches half as large; raises BackendError where one row is too much already."""
        self._bound = {  # they hold memory, but graphs go on with the addresses that they were captured with
            size: bound for size, bound in self._bound.items() if bound.captured and size <= self._most // 2
        }
        if self._most == 1:
            fix = "lower REELWARDEN_GPU_MEMORY_SHARE, so that other models leave more of it"
            if _PART_FULL in str(error).lower():
                fix = "raise REELWARDEN_GPU_MEMORY_SHARE, as its own part of it is used up"
            raise BackendError(
                f"{self._spec.name}: the GPU's memory is full with a batch of 1 ({error}); run fewer domains on it, "
                f"or {fix}"
            ) from error
        self._most //= 2
        self._halved = f"the GPU's memory was full, so at most {self._most} rows are run at once"


@dataclass(frozen=True, slots=True)
class _There:
    """A padded batch that lies on the device."""

    rows: OnDevice
    first: int
    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.rows.dtype

    @property
    def address(self) -> int:
        return self.rows.address + self.first * math.prod(self.shape[1:]) * self.dtype.itemsize


class _Bound:
    """Memory of the device for one size of batch, bound to the session's input and outputs."""

    def __init__(self, session: onnxruntime.InferenceSession, target: Target, stream: int | None) -> None:
        self._session, self._target, self._stream = session, target, stream
        self._name = session.get_inputs()[0].name
        self._names = [output.name for output in session.get_outputs()]
        self._input: Any = None
        self._outputs: list[Any] | None = None
        self._graph = _NO_GRAPH

    @property
    def captured(self) -> bool:
        """Say whether a graph stands for this size."""
        return self._graph != _NO_GRAPH

    def capture_next(self) -> None:
        """Let the next run capture a graph, for which ONNX Runtime runs twice; a first run has been."""
        assert self._outputs is not None  # noqa: S101 - narrows the type
        self._graph = str(self._outputs[0].shape()[0])

    def run(self, rows: Tensor | _There) -> list[Tensor]:
        """Run on rows, which are copied to the device where they do not lie there, and copy the outputs back."""
        if self._outputs is None:
            return self._first(rows)
        self._call(rows, dict(zip(self._names, self._outputs, strict=True)))
        return [np.array(output.numpy()) for output in self._outputs]

    def _first(self, rows: Tensor | _There) -> list[Tensor]:
        """Run once with memory of ONNX Runtime's choice, to learn the outputs' shapes, then keep memory of our own."""
        answers = self._call(rows, {})
        outputs = [np.array(answer.numpy()) for answer in answers]
        self._outputs = [
            onnxruntime.OrtValue.ortvalue_from_shape_and_type(output.shape, output.dtype, self._target.memory, 0)
            for output in outputs
        ]
        return outputs

    def _call(self, rows: Tensor | _There, into: Mapping[str, Any]) -> Sequence[Any]:
        binding = self._session.io_binding()
        if isinstance(rows, _There) and not self.captured:
            binding.bind_input(self._name, self._target.memory, 0, rows.dtype, rows.shape, rows.address)
        else:
            binding.bind_ortvalue_input(self._name, self._filled(rows))
        for name in self._names:
            if name in into:
                binding.bind_ortvalue_output(name, into[name])
            else:
                binding.bind_output(name, self._target.memory, 0)
        options = onnxruntime.RunOptions()
        if self._target.graphs:
            options.add_run_config_entry("gpu_graph_id", self._graph)
        self._session.run_with_iobinding(binding, options)
        answers: Sequence[Any] = binding.get_outputs()
        return answers

    def _filled(self, rows: Tensor | _There) -> Any:
        """Return memory of our own with the rows in it: a CUDA graph reads the same address every time."""
        if self._input is None:
            self._input = onnxruntime.OrtValue.ortvalue_from_shape_and_type(
                rows.shape, rows.dtype, self._target.memory, 0
            )
        if isinstance(rows, _There):
            rows.rows.copy(rows.first, rows.shape[0], self._input.data_ptr(), self._stream)
        else:
            self._input.update_inplace(np.ascontiguousarray(rows))
        return self._input


def why_no_cuda() -> str | None:
    """Say why this ONNX Runtime cannot use a GPU; None where it can, as far as its build tells."""
    if PROVIDER in onnxruntime.get_available_providers():
        return None
    return f"onnxruntime {onnxruntime.__version__} is built for the CPU; install onnxruntime-gpu instead of it"


def _open(spec: ModelSpec, content: bytes, target: Target, stream: int | None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    run_as_written(options, content)
    try:
        if target.provider in _NEEDS:
            onnxruntime.preload_dlls(directory="")  # CUDA's libraries from their own packages
        providers = target.providers(stream)
        # it would start other providers, without the limits above, and print that
        session = onnxruntime.InferenceSession(content, options, providers=providers, enable_fallback=0)
    except Exception as error:
        check_device(spec.name, error)
        raise BackendError(f"{spec.name}: ONNX Runtime cannot load it: {_first_line(error)}") from error
    used = session.get_providers()[0]
    if used != target.provider:  # it goes to the CPU with a warning only
        raise BackendError(
            f"{spec.name}: ONNX Runtime could not start its {_NEEDS.get(target.provider, target.provider)} installed?"
        )
    return session


def _padded(rows: Rows, start: int, count: int, most: int) -> Tensor | _There:
    """Return some rows, and more up to the next size of batch: the powers of 2 below `most`, and `most`.

    On the host the last row is repeated; on the device it is what lies behind it, as far as there is room.
    """
    size = min(most, 1 << (count - 1).bit_length())
    if not isinstance(rows, np.ndarray):
        return _There(rows, start, (min(size, rows.room - start), *rows.shape[1:]))
    part = rows[start : start + count]
    return part if size == count else np.concatenate([part, np.repeat(part[-1:], size - count, axis=0)])


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]
