"""How the server is: starting, ready, busy, failed or draining."""

from __future__ import annotations

import json
from typing import Literal

State = Literal["starting", "ready", "busy", "failed", "draining"]


def pinged(state: State) -> tuple[int, bytes]:
    """Return status and body of /ping: 200 and nothing when `/invocations` takes work, else 503 and the state."""
    return (200, b"") if state in {"ready", "busy"} else (503, json.dumps({"state": state}).encode())


class Health:
    """Set by who loads, works and stops; asked by /ping, which must never wait for anything."""

    def __init__(self) -> None:
        self._loaded = False
        self._draining = False
        self._failure: str | None = None

    def loaded(self) -> None:
        """Say that every model is there."""
        self._loaded = True

    def drain(self) -> None:
        """Say that no new work is taken, as the process ends."""
        self._draining = True

    def fail(self, reason: str) -> None:
        """Say that only a restart helps."""
        self._failure = self._failure or reason

    def state(self, *, full: bool = False, stuck: bool = False) -> State:
        """Return the state; `full` says that no place is free, `stuck` that no worker of a kind comes back."""
        if self._failure or stuck:
            return "failed"
        if self._draining:
            return "draining"
        if not self._loaded:
            return "starting"
        return "busy" if full else "ready"

    @property
    def failure(self) -> str | None:
        """Why only a restart helps; None where all is well."""
        return self._failure
