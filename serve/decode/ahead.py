"""Run an iterator on a thread of its own, some items ahead of its reader."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Generic, TypeVar

Item = TypeVar("Item")


class _End:
    """The last thing in the queue: the iterator is over, or ended with an error."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def ahead(items: Generator[Item, None, None], depth: int) -> Iterator[Iterator[Item]]:
    """Give an iterator over `items` that a thread fills, at most `depth` items ahead of the reader.

    An error in `items` is raised in the reader, after all items before it. Leaving the block stops the thread, closes
    `items` on it and waits for it, however the block is left.
    """
    worker = _Worker(items, depth)
    worker.thread.start()
    try:
        yield worker.read()
    finally:
        worker.stop()


class _Worker(Generic[Item]):
    def __init__(self, items: Generator[Item, None, None], depth: int) -> None:
        if depth < 1:
            raise ValueError(f"depth={depth}: the reader needs at least 1 item ahead")
        self._items = items
        self._queue: SimpleQueue[Item | _End] = SimpleQueue()
        self._free = threading.Semaphore(depth)
        self._stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, name="reelwarden-ahead", daemon=True)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            while True:
                self._free.acquire()
                if self._stopping.is_set():
                    break
                self._queue.put(next(self._items))
        except StopIteration:
            pass
        except BaseException as raised:  # noqa: BLE001 - raised again in the reader
            error = raised
        finally:
            self._items.close()
            self._queue.put(_End(error))

    def read(self) -> Iterator[Item]:
        while True:
            item = self._queue.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            self._free.release()
            yield item

    def stop(self) -> None:
        self._stopping.set()
        self._free.release()
        self.thread.join()
