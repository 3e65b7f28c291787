"""A web server on this machine, for downloads: ranges, breaking connections, refusals, passwords, TLS."""

from __future__ import annotations

import base64
import re
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What is served, how badly, and what was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)  # path -> content
    asked: list[tuple[str, str]] = field(default_factory=list)  # path and Range header of each request
    authorizations: list[str] = field(default_factory=list)  # of each request, "" where none was sent
    ranges: bool = True  # are Range headers honoured?
    break_after_bytes: list[int] = field(default_factory=list)  # one answer each: the connection closes there
    statuses: list[int] = field(default_factory=list)  # one answer each, instead of the file
    redirects: dict[str, str] = field(default_factory=dict)  # path -> where it is instead
    says_length: bool = True
    headers: dict[str, str] = field(default_factory=dict)  # added to every answer
    credentials: str = ""  # the Authorization header that is demanded, where any is
    pause_seconds: float = 0.0  # after each thousand bytes
    together: threading.Barrier | None = None  # answers wait until this many are asked at once

    def allow(self, user: str, password: str) -> None:
        """Demand a user and a password."""
        self.credentials = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def asked_for(self, path: str) -> list[str]:
        """Return the Range header of each request for a path."""
        return [wanted for asked, wanted in self.asked if asked == path]


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[FileServer]:
    """Serve on a free port until the block ends."""
    state = FileServer()
    server = _Server(("127.0.0.1", 0), _Handler)
    server.state = state
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    state.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    state: FileServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        state = self.server.state
        path = self.path.partition("?")[0]
        wanted = self.headers.get("Range", "")
        state.asked.append((path, wanted))
        state.authorizations.append(self.headers.get("Authorization", ""))
        if state.together:
            state.together.wait(timeout=30)
        if state.credentials and self.headers.get("Authorization") != state.credentials:
            self._send(401, b"", {"WWW-Authenticate": 'Basic realm="files"'})
        elif state.statuses:
            self._send(state.statuses.pop(0), b"", {})
        elif path in state.redirects:
            self._send(302, b"", {"Location": state.redirects[path]})
        elif path not in state.files:
            self._send(404, b"", {})
        else:
            self._send_file(state.files[path], wanted)

    def _send_file(self, content: bytes, wanted: str) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", wanted)
        if not asked or not self.server.state.ranges:
            self._send(200, content, {})
        elif int(asked[1]) >= len(content):
            self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        else:
            start = int(asked[1])
            place = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self._send(206, content[start:], {"Content-Range": place})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | self.server.state.headers).items():
            self.send_header(name, value)
        if self.server.state.says_length:
            self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "text/html" if content.startswith(b"<!DOCTYPE") else "application/json")
        self.end_headers()
        breaks = self.server.state.break_after_bytes
        if status in {200, 206} and breaks:
            content = content[: breaks.pop(0)]
            self.close_connection = True
        if not self.server.state.pause_seconds:
            self.wfile.write(content)
            return
        for start in range(0, len(content), 1000):
            self.wfile.write(content[start : start + 1000])
            time.sleep(self.server.state.pause_seconds)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
