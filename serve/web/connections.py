"""Connections that hold no memory and no place for a client whose header does not end."""

from __future__ import annotations

import asyncio

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEADER_SECONDS = 10.0
MOST_HEADER_BYTES = 32_768


class PatientConnection(HttpToolsProtocol):
    """uvicorn's connection, with limits on a header: the time from its first byte to its last, and its bytes.

    The parser is the one in C: an overloaded server mostly reads what it refuses.
    """

    _header_timer: asyncio.TimerHandle | None = None
    _header_bytes: int | None = None  # of the chunks after the one that it began in; None outside of a header

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first header."""
        super().connection_made(transport)
        self._watch_header()

    def data_received(self, data: bytes) -> None:
        """Take bytes in; between requests they must make a whole header in time."""
        if self._header_bytes is not None:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._header_bytes is not None and self._header_bytes > MOST_HEADER_BYTES:
            self.send_400_response("The header is too long.")
        self._watch_header()

    def on_message_begin(self) -> None:
        """Begin a header."""
        self._header_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """End a header; one that is too long ends the connection with a 400."""
        self._header_bytes = None
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MOST_HEADER_BYTES:
            raise httptools.HttpParserError("the header is too long")
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def _watch_header(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_timer()
        elif self._header_timer is None:
            self._header_timer = self.loop.call_later(MOST_HEADER_SECONDS, self._give_up)

    def _stop_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _give_up(self) -> None:
        self._header_timer = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
