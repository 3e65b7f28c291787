"""Several batches of one analysis at once: while a GPU runs one, the CPU reads the answers of another.

The ring of a file's batches: some wait, decoded and painted, for their turn (`serve/decode/ahead.py`); a few are looked
at here; then each is let go, and its memory takes the next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

Done = TypeVar("Done")

ON_GPU = 3  # one that the GPU runs, one whose answers are read, one that is ready when either is over
ON_CPU = 1  # all cores work on one batch already


class InFlight(Generic[Done]):
    """Does things at once, at most so many, and gives their results back in the order in which they were begun.

    Leaving the block waits for those under way. With a most of 1 everything happens on the caller's thread.
    """

    def __init__(self, most: int) -> None:
        """Do at most so many things at once."""
        self._most = most
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="batch") if most > 1 else None
        self._begun: deque[Future[Done]] = deque()
        self._last: dict[Hashable, Future[Done]] = {}

    def __enter__(self) -> InFlight[Done]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def begin(self, do: Callable[[], Done], in_order: Hashable = None) -> list[Done]:
        """Begin something, and return what is over; wait for that when as much as may be is under way.

        What has the same `in_order` happens one after the other; None shares it with nothing. Raises what an earlier
        thing raised.
        """
        if self._pool is None:
            return [do()]
        begun = self._pool.submit(_after, self._last.get(in_order), do)
        if in_order is not None:
            self._last[in_order] = begun
        self._begun.append(begun)
        over = []
        while len(self._begun) >= self._most or (self._begun and self._begun[0].done()):
            over.append(self._begun.popleft().result())
        return over

    def rest(self) -> Iterator[Done]:
        """Yield what is still under way, as it ends."""
        while self._begun:
            yield self._begun.popleft().result()


def _after(before: Future[Done] | None, do: Callable[[], Done]) -> Done:
    """Wait for what was begun before, which therefore has a thread already, then do it."""
    if before is not None:
        before.exception()
    return do()
