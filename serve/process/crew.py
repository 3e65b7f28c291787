"""Keep a worker process at work: hand it inputs, hear from it, start another when it dies or hangs.

Media can crash or hang a decoder. Which of several inputs did it is not known, so all of them are tried again, each
alone; one whose worker dies while it is alone has failed, and the rest goes on.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from serve.process.messages import DEVICE_LOST, Alive, Began, Broken, Ended, Event, Halt, Loaded, Loads, Order, Task
from serve.process.names import readable
from serve.process.summary import Entry, Failure

MOST_DEATHS_WITHOUT_WORK = 2  # a worker that dies before any input has begun will do so again
_NOT_USABLE = 3  # exit code: models or the device cannot be used
_LOAD_HINT = "raise --load-seconds, or see by `reelwarden doctor` whether a device hangs"


def work(task: Task, pipe: Connection) -> None:
    """Be the worker process."""
    from serve.process.worker import work as run  # only there: it loads all that analyzes

    run(task, pipe)


@dataclass(slots=True)
class _Under:
    """An input that is being worked on."""

    order: Order
    alive_seconds: float | None = None  # of the monotonic clock; None until it has begun


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    began_any: bool = False
    loads_seconds: float | None = None  # of the monotonic clock: since when it loads models; None when it does not
    alone: str | None = None  # the input that no other may be beside
    under: dict[str, _Under] = field(default_factory=dict)  # by readable name


class Crew:
    """One worker at a time, and the inputs it has."""

    def __init__(self, task: Task, body: Callable[[Task, Connection], None] = work) -> None:
        """Start nothing yet; `body` is what the worker process runs."""
        self._task, self._body = task, body
        self._worker: _Worker | None = None
        self._suspects: list[Order] = []  # one of them may have killed a worker
        self._lost_device: set[str] = set()  # inputs under way when a device was lost, once
        self._deaths_without_work = 0
        self._halted = False

    @property
    def busy(self) -> bool:
        """Say whether any input is not over."""
        return bool(self._suspects or (self._worker and self._worker.under))

    def wants(self) -> bool:
        """Say whether another input may be handed over."""
        if self._suspects:
            return False
        worker = self._worker
        return worker is None or (worker.alone not in worker.under and len(worker.under) < self._task.job.in_flight)

    def give(self, order: Order) -> None:
        """Hand over an input; when the worker is dead, `events` tells."""
        worker = self._worker = self._worker or self._started()
        worker.under[readable(order.item.name)] = _Under(order)
        with suppress(OSError):  # it died a moment ago
            worker.pipe.send(order)

    def halt(self, *, at_once: bool) -> None:
        """Let nothing more begin, not even what was to be tried again."""
        self._suspects, self._halted = [], True
        if self._worker:
            with suppress(OSError):  # it died a moment ago
                self._worker.pipe.send(Halt(at_once))

    def events(self, seconds: float) -> Iterator[Event]:
        """Wait for what the worker says, at most so long; a death and a hang are told as events of their inputs."""
        self._try_suspects()
        worker = self._worker
        if worker is None:
            return
        wait([worker.pipe, worker.process.sentinel], seconds)
        try:
            while worker.pipe.poll():
                yield from self._heard(worker, worker.pipe.recv())
        except (EOFError, OSError):
            worker.process.join()
        if not worker.process.is_alive():
            yield from self._buried(worker)
        elif self._loads_too_long(worker):
            self.close()
            seconds = self._task.job.load_seconds
            yield Broken(_NOT_USABLE, f"models are not loaded after {seconds:g} s; {_LOAD_HINT}")
        elif (hung := self._hung(worker)) is not None:
            yield from self._freed(worker, hung)

    def close(self) -> None:
        """End the worker; whatever it still does is not wanted any more."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()

    def _try_suspects(self) -> None:
        """Hand over the next suspect when nothing else is under way."""
        if self._suspects and not (self._worker and self._worker.under):
            order = self._suspects.pop(0)
            self.give(order)
            if self._worker:
                self._worker.alone = readable(order.item.name)

    def _started(self) -> _Worker:
        context = multiprocessing.get_context("spawn")  # a fork would copy threads and signal handlers
        ours, theirs = context.Pipe()
        process = context.Process(target=self._body, args=(self._task, theirs), name="reelwarden-worker", daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _heard(self, worker: _Worker, event: Event) -> Iterator[Event]:
        if isinstance(event, Loads | Loaded):
            worker.loads_seconds = time.monotonic() if isinstance(event, Loads) else None
            return
        if isinstance(event, Began | Alive):
            worker.began_any = True
            self._deaths_without_work = 0
            worker.under[event.name].alive_seconds = time.monotonic()
            return
        if isinstance(event, Ended):
            worker.under.pop(event.entry.name, None)
        yield event

    def _buried(self, worker: _Worker) -> Iterator[Event]:
        """Sort the inputs of a dead worker: several are suspects, one alone has failed."""
        self._worker = None
        worker.pipe.close()
        how = _how(worker.process.exitcode or 0)
        if not worker.began_any and worker.under:
            self._deaths_without_work += 1
            if self._deaths_without_work > MOST_DEATHS_WITHOUT_WORK:
                yield Broken(_NOT_USABLE, f"the worker ended before any input had begun: {how}")
                return
        orders = [under.order for under in worker.under.values()]
        device_again = worker.process.exitcode != DEVICE_LOST or self._lost_device.issuperset(worker.under)
        self._lost_device.update(worker.under)
        if len(orders) == 1 and worker.began_any and device_again:
            yield Ended(_failed(orders[0], "WorkerDied", f"it ended the process that analyzed it: {how}"))
        elif not self._halted:
            self._suspects += orders

    def _loads_too_long(self, worker: _Worker) -> bool:
        since = worker.loads_seconds
        return since is not None and time.monotonic() - since > self._task.job.load_seconds

    def _hung(self, worker: _Worker) -> str | None:
        """Return the input that made no progress for too long."""
        oldest = time.monotonic() - self._task.job.stall_seconds
        began = {name: under.alive_seconds for name, under in worker.under.items() if under.alive_seconds is not None}
        return next((name for name, alive_seconds in began.items() if alive_seconds < oldest), None)

    def _freed(self, worker: _Worker, hung: str) -> Iterator[Event]:
        """End a worker that hangs; its other inputs are done again."""
        self.close()
        order = worker.under.pop(hung).order
        seconds = self._task.job.stall_seconds
        yield Ended(_failed(order, "Hung", f"no progress for {seconds:g} s; repair the file, or raise --stall-seconds"))
        if not self._halted:
            self._suspects += [under.order for under in worker.under.values()]


def _how(exit_code: int) -> str:
    if exit_code == DEVICE_LOST:
        return "the device was lost"
    if exit_code == -signal.SIGKILL:
        return "killed, most likely for want of memory; lower --in-flight or --memory-bytes"
    if exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}, most likely by a damaged file"
    return f"exit code {exit_code}"


def _failed(order: Order, kind: str, message: str) -> Entry:
    return Entry(name=readable(order.item.name), status="failed", error=Failure(type=kind, message=message))
