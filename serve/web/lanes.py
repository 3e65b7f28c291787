"""Places for requests: a bounded number may be there at once, fewer of them are worked on, the rest wait."""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from time import monotonic
from typing import TypeVar

from serve.metrics import REFUSED
from serve.web.refusals import LaterError

Result = TypeVar("Result")
PLACE = "reelwarden.place"  # in the scope of a request for work
NICEST = 19  # of workers, so that the event loop and the door have a core as soon as they need one
_MOST_RETRY_SECONDS = 60
_MEMORY = 0.9  # of the mean duration: what each new one leaves of it


def yield_to_the_event_loop() -> None:
    """Lower the priority of the calling thread, and so of the threads that it starts, where the system allows it."""
    if sys.platform == "linux":  # elsewhere the priority is that of the whole process
        with suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, NICEST)


class Lane:
    """One kind of work: pictures do not wait behind videos. Places are taken and left by any thread."""

    def __init__(self, name: str, at_once: int, waiting: int) -> None:
        """Make `at_once` workers, for whom `waiting` more requests may wait."""
        self.name = name
        self.taken = 0
        self._at_once, self._most = at_once, at_once + waiting
        self._executor = ThreadPoolExecutor(at_once, f"analyze-{name}", initializer=yield_to_the_event_loop)
        self._futures: set[Future[object]] = set()
        self._mean_seconds = 1.0
        self._counting = threading.Lock()
        self._lost: set[Future[object]] = set()

    @property
    def full(self) -> bool:
        """Whether a new request would be refused."""
        return self.taken >= self._most

    def take(self) -> None:
        """Count a place as taken; raises LaterError, and counts it, where none is free."""
        with self._counting:
            if not self.full:
                self.taken += 1
                return
        REFUSED.labels(self.name).inc()
        seconds = math.ceil(self._mean_seconds * self._most / self._at_once)
        raise LaterError(
            f"{self._most} requests for {self.name} are here already; try again later",
            min(max(1, seconds), _MOST_RETRY_SECONDS),
        )

    def leave(self, held_seconds: float) -> None:
        """Count a place as free, and take note of how long it was held."""
        with self._counting:
            self.taken -= 1
            self._mean_seconds = _MEMORY * self._mean_seconds + (1 - _MEMORY) * held_seconds

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """Have a worker do it, with the caller's context."""
        future = self._executor.submit(copy_context().run, work)
        self._futures.add(future)  # type: ignore[arg-type]
        future.add_done_callback(self._futures.discard)
        return future

    def give_up(self, future: Future[Result]) -> None:
        """Count a worker as lost until its work ends after all."""
        self._lost.add(future)  # type: ignore[arg-type]
        future.add_done_callback(self._lost.discard)

    @property
    def stuck(self) -> bool:
        """Whether every worker is lost; asked by any thread."""
        return len(self._lost) >= self._at_once

    def cancel_waiting(self) -> None:
        """Cancel what no worker has begun."""
        for future in tuple(self._futures):
            future.cancel()

    def close(self) -> bool:
        """Take no more work and say whether every worker is free."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        return all(future.done() for future in tuple(self._futures))


class Place:
    """One of the places of a lane, held from before a body is read until the answer was sent."""

    def __init__(self, lane: Lane) -> None:
        """Take a place; raises LaterError where none is free."""
        lane.take()
        self.lane, self._start_seconds, self._held = lane, monotonic(), True

    def move(self, lane: Lane) -> None:
        """Go to another lane; raises LaterError, and stays, where that is full."""
        if lane is self.lane:
            return
        lane.take()
        self.leave()
        self.lane, self._start_seconds, self._held = lane, monotonic(), True

    def leave(self) -> None:
        """Make the place free; once is enough."""
        if self._held:
            self._held = False
            self.lane.leave(monotonic() - self._start_seconds)
