"""How long a fetch may take: what the settings allow, and what whoever waits for it has left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import monotonic

from model_zoo.errors import TemporaryFetchError
from serve.asked import Stop, never_stop


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a fetch may take, in seconds."""

    connect_seconds: float
    read_seconds: float  # between two arrivals of data
    total_seconds: float


class FetchTime:
    """The time of one fetch, which runs from now on: connecting, redirects and the body together."""

    def __init__(self, total_seconds: float, most_seconds: float = math.inf, stop: Stop = never_stop) -> None:
        """Allow `total_seconds`, and no more than the `most_seconds` that the caller has; `stop` ends it earlier."""
        self._total_seconds, self._stop = total_seconds, stop
        self._short = most_seconds < total_seconds
        self._end_seconds = monotonic() + min(total_seconds, most_seconds)

    def check(self, place: str) -> None:
        """Raise TemporaryFetchError where the fetch must end now."""
        reason = self._stop()
        if reason is None and monotonic() < self._end_seconds:
            return
        if reason is not None or self._short:
            raise TemporaryFetchError(
                f"{place}: not here in time: {reason or 'the deadline is over'}; try again later, "
                "raise deadline_seconds (REELWARDEN_DEADLINE_SECONDS), or run a job"
            )
        raise TemporaryFetchError(
            f"{place}: not here after {self._total_seconds:g} s; raise fetch_total_seconds "
            "(REELWARDEN_FETCH_TOTAL_SECONDS)"
        )

    def step_seconds(self, place: str, seconds: float | None) -> float:
        """Return how long one step, of `seconds` at most, may take; raises as `check`."""
        self.check(place)
        left_seconds = max(0.001, self._end_seconds - monotonic())
        return left_seconds if seconds is None else min(seconds, left_seconds)
