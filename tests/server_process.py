"""A real `reelwarden serve` in a process of its own, on a free port of this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and what it logs."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def ping(self) -> int:
        """Return the status of /ping, 0 where nobody answers."""
        try:
            return httpx.get(f"{self.url}/ping", timeout=2, trust_env=False).status_code
        except httpx.TransportError:
            return 0

    def wait_for(self, status: int, seconds: float = 120.0) -> None:
        """Wait until /ping answers so."""
        end = time.monotonic() + seconds
        while (last := self.ping()) != status:
            alive = self.process.poll() is None
            assert alive and time.monotonic() < end, f"/ping: {last}\n{self.log.read_text()}"  # noqa: PT018
            time.sleep(0.05)

    def stop(self, sign: int = signal.SIGTERM, seconds: float = 30.0) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(sign)
        return self.process.wait(seconds)


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def started(folder: Path, **environment: str) -> Iterator[Server]:
    """Start a server, with its log and temporary files in `folder`, and end it however the block is left."""
    port = free_port()
    log, temporary = folder / "log.jsonl", folder / "tmp"
    temporary.mkdir(exist_ok=True)
    settings = {"REELWARDEN_PORT": str(port), "REELWARDEN_HOST": "127.0.0.1", "TMPDIR": str(temporary)}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "serve", "serve"],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=os.environ | settings | environment,
        )
    try:
        yield Server(process, f"http://127.0.0.1:{port}", log)
    finally:
        process.kill()
        process.wait()
