"""ONNX Runtime on the CPU: one single-threaded session whose rows are shared among the caller's worker threads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import onnxruntime

from model_zoo.errors import BackendError
from model_zoo.manifest import ModelSpec
from model_zoo.qdq import run_as_written
from model_zoo.values import Given, Tensor, Tensors
from serve.backends.contract import checked_rows
from serve.backends.front import check_size, with_front


class OnnxModel:
    """Run an ONNX file on CPU.

    A session with one intra-op thread computes on the thread that calls it and may be called by many at once, so N
    workers with N slices of a batch use N cores, share one copy of the weights and never spin
    (`benchmarks/backend.py` compares this with one session of N threads). A call with fewer rows than there are
    workers goes to a second session, made when first needed, that spreads one row over all threads.
    """

    def __init__(self, spec: ModelSpec, path: Path, executor: Executor, threads: int) -> None:
        """Load `path` with the front of its contract; `executor` has `threads` workers. Raises BackendError."""
        self._spec = spec
        self._executor = executor
        self._threads = threads
        self._content = with_front(spec, path)
        self._narrow = self._open(threads=1)
        self._wide = self._narrow if threads == 1 else None
        self._input = self._narrow.get_inputs()[0]
        self._outputs = [output.name for output in self._narrow.get_outputs()]
        check_size(spec, path, self._input.shape[1:3])  # (N, H, W, 3) by now
        missing = set(spec.outputs) - set(self._outputs)
        if missing:
            raise BackendError(
                f"{spec.name}: {path.name} has outputs {self._outputs}, models.toml wants {sorted(missing)}"
            )

    @property
    def columns(self) -> Mapping[str, int | None]:
        """Return the length of axis 1 of every output; None where the file leaves it open."""
        shapes = {output.name: output.shape for output in self._narrow.get_outputs()}
        return {
            name: shape[1] if len(shape) > 1 and isinstance(shape[1], int) else None for name, shape in shapes.items()
        }

    def run(self, tensors: Given) -> Tensors:
        """Return every output with as many rows as the one input; raises BackendError for an input off the contract."""
        batch = checked_rows(self._spec, tensors)
        if 0 < len(batch) < self._threads:
            wide = self._wide_session()
            return self._joined([self._infer(wide, part) for part in _slices(batch, self._spec.batch.most)])
        rows = max(1, min(self._spec.batch.best, math.ceil(len(batch) / self._threads)))
        return self._joined(
            list(self._executor.map(lambda part: self._infer(self._narrow, part), _slices(batch, rows)))
        )

    def _open(self, threads: int) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # constant folding of fp16 storage is announced as a warning
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        run_as_written(options, self._content)
        try:
            return onnxruntime.InferenceSession(self._content, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise BackendError(f"{self._spec.name}: ONNX Runtime cannot load it: {_first_line(error)}") from error

    def _wide_session(self) -> onnxruntime.InferenceSession:
        if self._wide is None:
            self._wide = self._open(self._threads)
        return self._wide

    def _infer(self, session: onnxruntime.InferenceSession, rows: Tensor) -> Sequence[Tensor]:
        try:
            outputs: Sequence[Tensor] = session.run(self._outputs, {self._input.name: rows})
        except Exception as error:
            raise BackendError(f"{self._spec.name}: inference failed on {rows.shape}: {_first_line(error)}") from error
        return outputs

    def _joined(self, parts: Sequence[Sequence[Tensor]]) -> Tensors:
        """Return what was said of parts of a batch, by the names of the outputs."""
        columns = parts[0] if len(parts) == 1 else [np.concatenate(column) for column in zip(*parts, strict=True)]
        return dict(zip(self._outputs, columns, strict=True))


def _slices(batch: Tensor, rows: int) -> list[Tensor]:
    """Return a batch in parts of at most so many rows; an empty one as it is."""
    return [batch[start : start + rows] for start in range(0, len(batch), rows)] or [batch]


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]
