"""Notice that the job is to stop: SIGTERM of schedulers and SIGINT alike."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager
from types import FrameType, TracebackType
from typing import Any

_WATCHED = (signal.SIGTERM, signal.SIGINT)


class Signals(AbstractContextManager["Signals"]):
    """Counts what arrives within the block; nothing is interrupted by it."""

    def __init__(self) -> None:
        """Count from zero."""
        self.count = 0
        self.first = 0  # number of the first signal
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        self._before = {number: signal.signal(number, self._notice) for number in _WATCHED}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _notice(self, number: int, _frame: FrameType | None) -> None:
        self.first = self.first or number
        self.count += 1
