"""Join the rows of several callers into one batch: a model in front of a model.

Nobody waits for a clock: while one batch runs, the rows that come wait, and the next batch takes them all. A lone
caller is served at once, and the busier the server, the larger the batches.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from model_zoo.errors import DeviceLostError
from model_zoo.values import Given, Model, Rows, Tensors, on_host
from serve.metrics import BATCH_ROWS

Shape = tuple[tuple[str, str, tuple[int, ...]], ...]  # name, type and sides of one row, for every input


@dataclass(slots=True, eq=False)
class _Call:
    """What one caller asks for, and what became of it."""

    tensors: Given
    rows: int
    shape: Shape
    outputs: Tensors | None = None
    error: Exception | None = None
    done: bool = field(default=False)


class Joined:
    """Answers as the model behind it does, whatever others ask at the same time."""

    def __init__(self, name: str, model: Model, most_rows: int) -> None:
        """Give the model at most `most_rows` rows at once, or one caller's where those are more."""
        self._name, self._model, self._most_rows = name, model, most_rows
        self._changed = threading.Condition()
        self._waiting: deque[_Call] = deque()
        self._runs = False

    def run(self, tensors: Given) -> Tensors:
        """Return one output row per input row; raises what the model raises."""
        call = _Call(tensors, _rows(tensors), _shape(tensors))
        with self._changed:
            self._waiting.append(call)
        while not self._is_done(call):
            self._run_next()
        if call.error is not None:
            raise call.error
        if call.outputs is None:
            raise RuntimeError(f"{self._name}: a batch ended without outputs")
        return call.outputs

    def _is_done(self, call: _Call) -> bool:
        """Wait until a call is done, or until it is this caller's turn to run a batch for all who wait."""
        with self._changed:
            while self._runs and not call.done:
                self._changed.wait()
            if not call.done:
                self._runs = True
            return call.done

    def _run_next(self) -> None:
        calls: list[_Call] = []
        try:
            with self._changed:
                calls = self._taken()
            _answer(self._model, calls)
            BATCH_ROWS.labels(self._name).observe(sum(call.rows for call in calls))
        finally:
            with self._changed:
                for call in calls:
                    call.done = True
                self._runs = False
                self._changed.notify_all()

    def _taken(self) -> list[_Call]:
        """Take the calls that have waited longest and fit together."""
        first = self._waiting.popleft()
        calls, rows, others = [first], first.rows, deque[_Call]()
        while self._waiting:
            call = self._waiting.popleft()
            if call.shape == first.shape and rows + call.rows <= self._most_rows:
                calls.append(call)
                rows += call.rows
            else:
                others.append(call)
        self._waiting = others
        return calls


def _answer(model: Model, calls: list[_Call]) -> None:
    """Run one batch and give every call its rows of it; an error is that of each, tried alone."""
    try:
        if len(calls) == 1:
            calls[0].outputs = model.run(calls[0].tensors)
            return
        names = calls[0].tensors
        outputs = model.run({name: np.concatenate([on_host(call.tensors[name]) for call in calls]) for name in names})
    except Exception as error:  # noqa: BLE001 - raised again in the caller it belongs to
        if len(calls) > 1 and not isinstance(error, DeviceLostError):
            for call in calls:
                _answer(model, [call])
            return
        for call in calls:
            call.error = error
        return
    end = 0
    for call in calls:
        start, end = end, end + call.rows
        call.outputs = {name: output[start:end] for name, output in outputs.items()}


def _rows(tensors: Given) -> int:
    return max((len(tensor) for tensor in tensors.values()), default=0)


def _shape(tensors: Given) -> Shape:
    return tuple((name, _kind(rows), rows.shape[1:]) for name, rows in tensors.items())


def _kind(rows: Rows) -> str:
    """Return what rows must have in common to be joined; those on a device, whole batches already, go alone."""
    return rows.dtype.str if isinstance(rows, np.ndarray) else f"at {rows.address:#x}"
