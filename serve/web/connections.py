"""Connections that hold no memory and no place for a client whose header does not end, or that takes no answer."""

from __future__ import annotations

import asyncio
import json
from contextvars import copy_context
from http import HTTPStatus
from typing import Any

import httptools
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from serve.web.lanes import PLACE, Place
from serve.web.refusals import LaterError, RefusedError, answer, described
from serve.web.tracing import Traced, begin, tell

MOST_CONNECTIONS = 2000
MOST_HEADER_SECONDS = 10.0
MOST_HEADER_BYTES = 32_768
MOST_TAKE_SECONDS = 20.0  # for a piece of an answer (sending.py) to be taken


def _parser(connection: PatientConnection) -> httptools.HttpRequestParser:
    parser = httptools.HttpRequestParser(connection)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
    return parser


async def _crowded(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse one connection too many."""
    refusal = answer(LaterError(f"{MOST_CONNECTIONS} connections are here already; try again later", 5))
    refusal.headers["Connection"] = "close"
    await refusal(scope, receive, send)


CROWDED = Traced(_crowded)


class PatientConnection(HttpToolsProtocol):
    """uvicorn's connection, with limits on a header, and on what follows a body: its time and its bytes.

    The parser is the one in C: an overloaded server mostly reads what it refuses.
    """

    _header_timer: asyncio.TimerHandle | None = None
    _take_timer: asyncio.TimerHandle | None = None
    _field_bytes = 0  # of the names and values of this message
    _unread_bytes = 0  # that came since a message began or a piece of its body was here, by chunks

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        place: Place | None = None,
    ) -> None:
        """Serve a connection whose first request has a place already, or not."""
        super().__init__(config, server_state, app_state, _loop)
        self._place = place

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first header."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # writing waits, and is told of, until all is with the system
        self._watch_header()

    def data_received(self, data: bytes) -> None:
        """Take bytes in; between requests they must make a whole header in time."""
        self._unread_bytes += len(data)
        self._unset_keepalive_if_required()
        self._parse(data)
        if self._unread_bytes > MOST_HEADER_BYTES and not self.transport.is_closing():
            self.send_400_response("the header is too long")
        self._watch_header()

    def _parse(self, data: bytes) -> None:
        try:
            while data:
                data = self._fed(data)
        except httptools.HttpParserError:
            long = self._field_bytes > MOST_HEADER_BYTES
            self.send_400_response("the header is too long" if long else "this is no HTTP request that can be read")

    def _fed(self, data: bytes) -> bytes:
        """Let the parser read; return what is to be read after a header that asks for another protocol."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self.parser.get_method() == b"CONNECT":
                raise httptools.HttpParserError("no proxy") from None
            head = self._without_upgrade()
            self.parser = _parser(self)
            self.parser.feed_data(head)
            return data[upgrade.args[0] :]
        return b""

    def _without_upgrade(self) -> bytes:
        """Return the header that was just read without its wish for another protocol, which may be passed over.

        The parser would leave the body out and read what follows as that protocol, or worse, as a request.
        """
        first = b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        fields = [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([first, *fields, b"", b""])

    def send_400_response(self, msg: str) -> None:
        """Refuse what no application is asked about, in the form of all refusals, and close."""
        copy_context().run(self._refuse, msg)  # the id of this request is nobody else's
        self.transport.close()

    def _refuse(self, msg: str) -> None:
        named = begin({})
        body = json.dumps(described(RefusedError(msg))).encode()
        named += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        lines = [b"HTTP/1.1 400 Bad Request", *map(b": ".join, named), b"connection: close", b"", body]
        self.transport.write(b"\r\n".join(lines))
        tell("none", "none", HTTPStatus.BAD_REQUEST, 0.0, body_bytes=0)

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
        """End a header; one that asks for another protocol is read anew without that."""
        self._unread_bytes = 0
        if self.parser.should_upgrade():
            return
        if len(self.connections) >= MOST_CONNECTIONS:
            self.app = CROWDED
        else:
            self.app = self.config.loaded_app
            if self._place is not None:
                self.scope[PLACE], self._place = self._place, None  # type: ignore[literal-required]
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body in."""
        self._unread_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a message."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _count(self, size: int) -> None:
        self._field_bytes += size
        if self._field_bytes > MOST_HEADER_BYTES:
            raise httptools.HttpParserError("the header is too long")  # ends the connection with a 400

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers, and the place of a request that never was."""
        if self._place is not None:
            self._place.leave()
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
