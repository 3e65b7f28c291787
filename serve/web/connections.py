"""Connections that hold no memory and no place for a client whose header does not end, or that takes no answer."""

from __future__ import annotations

import asyncio

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEADER_SECONDS = 10.0
MOST_HEADER_BYTES = 32_768
MOST_TAKE_SECONDS = 20.0  # for a piece of an answer (sending.py) to be taken


class PatientConnection(HttpToolsProtocol):
    """uvicorn's connection, with limits on a header, and on what follows a body: its time and its bytes.

    The parser is the one in C: an overloaded server mostly reads what it refuses.
    """

    _header_timer: asyncio.TimerHandle | None = None
    _take_timer: asyncio.TimerHandle | None = None
    _field_bytes = 0  # of the names and values of this message
    _unread_bytes = 0  # that came since a message began or a piece of its body was here, by chunks

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first header."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # writing waits, and is told of, until all is with the system
        self._watch_header()

    def data_received(self, data: bytes) -> None:
        """Take bytes in; between requests they must make a whole header in time."""
        self._unread_bytes += len(data)
        super().data_received(data)
        if self._unread_bytes > MOST_HEADER_BYTES and not self.transport.is_closing():
            self.send_400_response("The header is too long.")
        self._watch_header()

    def on_message_begin(self) -> None:
        """Begin a header."""
        self._field_bytes = self._unread_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the address in."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field in, of the header or after a body in chunks."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """End a header."""
        self._unread_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body in."""
        self._unread_bytes = 0
        super().on_body(body)

    def _count(self, size: int) -> None:
        self._field_bytes += size
        if self._field_bytes > MOST_HEADER_BYTES:
            raise httptools.HttpParserError("the header is too long")  # ends the connection with a 400

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._stop_timer()
        self._stop_take_timer()
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

    def pause_writing(self) -> None:
        """Begin to wait until the client takes what was sent."""
        super().pause_writing()
        if self._take_timer is None:
            self._take_timer = self.loop.call_later(MOST_TAKE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on sending."""
        self._stop_take_timer()
        super().resume_writing()

    def _stop_take_timer(self) -> None:
        if self._take_timer is not None:
            self._take_timer.cancel()
            self._take_timer = None
