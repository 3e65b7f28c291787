"""Who comes in: a thread of its own accepts connections, answers /ping itself, and hands all others to the event loop.

The event loop takes connections in turn: where hundreds ask at once, each waits for all the others, and so would /ping,
by which an orchestrator tells a busy server from a dead one. Here a connection is only looked at (MSG_PEEK) until its
first bytes tell what it wants; what is handed over is as the client sent it.
"""

from __future__ import annotations

import logging
import re
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from http import HTTPStatus
from time import monotonic, sleep

from serve.web.connections import MOST_HEADER_BYTES, MOST_HEADER_SECONDS
from serve.web.health import State, pinged
from serve.web.tracing import begin, tell

log = logging.getLogger(__name__)

BACKLOG = 2048
MOST_WAITING = 2000  # connections that have said nothing yet
REST_SECONDS = 0.2  # where the system has no more descriptors
_TICK_SECONDS = 1.0
_PING = b"GET /ping HTTP/1.1\r\n"
_END = b"\r\n\r\n"
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110's; anything else is the parser's to refuse
_WITH_BODY = {b"content-length", b"transfer-encoding"}  # read by the event loop, which has a parser


class Door:
    """A listening socket and the thread at it; closes as the servers of asyncio do."""

    def __init__(
        self, listener: socket.socket, state: Callable[[], State], hand_over: Callable[[socket.socket], None]
    ) -> None:
        """Begin to accept; `hand_over` is called on the door's thread and owns the connection."""
        self._listener, self._state, self._hand_over = listener, state, hand_over
        self._until: dict[socket.socket, float] = {}  # connections that wait, and when they have waited too long
        self._selector = selectors.DefaultSelector()
        self._closing, self._wake = socket.socketpair()
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(self._closing, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._watch, name="door", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Accept nothing more, and drop who has said nothing yet."""
        with suppress(OSError):
            self._wake.send(b".")
        self._thread.join()

    async def wait_closed(self) -> None:
        """Return at once: `close` has waited."""

    def _watch(self) -> None:
        while True:
            ready = [key.fileobj for key, _ in self._selector.select(_TICK_SECONDS)]
            if self._closing in ready:
                break
            for each in ready:
                if each is self._listener:
                    self._accept()
                elif isinstance(each, socket.socket) and each in self._until:
                    self._look(each)
            now = monotonic()
            for late in [waiting for waiting, until in self._until.items() if until < now]:
                self._forget(late).close()
        for waiting in tuple(self._until):
            self._forget(waiting).close()
        for own in (self._listener, self._closing, self._wake, self._selector):
            own.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            log.warning("no connection can be accepted: %s", error.strerror)
            sleep(REST_SECONDS)
            return
        if len(self._until) >= MOST_WAITING:
            self._forget(next(iter(self._until))).close()  # who came first has been silent for longest
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio does it for its own alone
            self._selector.register(connection, selectors.EVENT_READ)
        except OSError as error:
            log.warning("a connection cannot be served: %s", error.strerror)
            connection.close()
            return
        self._until[connection] = monotonic() + MOST_HEADER_SECONDS
        self._look(connection)  # most have said what they want by now

    def _look(self, connection: socket.socket) -> None:
        """Find out what a connection wants; whatever goes wrong costs that connection alone."""
        try:
            head = connection.recv(MOST_HEADER_BYTES, socket.MSG_PEEK)
            if not head:
                self._forget(connection).close()
            elif (fields := _ping_fields(head)) is None:
                self._hand_over(self._forget(connection))
            else:  # in a context of its own: the id of this request is nobody else's
                copy_context().run(self._answer, connection, head.index(_END) + len(_END), fields)
        except BlockingIOError:
            return
        except Exception as error:
            if not isinstance(error, OSError):
                log.exception("a connection was dropped")
            if connection in self._until:
                self._forget(connection).close()

    def _answer(self, connection: socket.socket, header_bytes: int, fields: dict[bytes, bytes]) -> None:
        start_seconds = monotonic()
        named = begin({name.decode("latin-1"): value.decode("latin-1") for name, value in fields.items()})
        status, body = pinged(self._state())
        stays = fields.get(b"connection", b"").lower() != b"close"
        named.append((b"content-length", b"%d" % len(body)))
        named += [(b"content-type", b"application/json")] if body else []
        named += [] if stays else [(b"connection", b"close")]
        lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode()), *map(b": ".join, named)]
        told = b"\r\n".join([*lines, b"", body])
        connection.recv(header_bytes)
        stays &= connection.send(told) == len(told)  # less is sent to a client alone that asks on and reads nothing
        tell("GET", "/ping", status, monotonic() - start_seconds, body_bytes=0)
        if stays:
            self._until[connection] = monotonic() + MOST_HEADER_SECONDS
        else:
            self._forget(connection).close()

    def _forget(self, connection: socket.socket) -> socket.socket:
        del self._until[connection]
        self._selector.unregister(connection)
        return connection


def _ping_fields(head: bytes) -> dict[bytes, bytes] | None:
    """Return the header's fields, by lower-case name, of a whole request for /ping; None for anything else."""
    if not head.startswith(_PING) or _END not in head:
        return None
    lines = head[len(_PING) : head.index(_END)].split(b"\r\n")
    pairs = [line.partition(b":") for line in lines if line]
    fields = {name.lower(): value.strip() for name, colon, value in pairs if colon}
    plain = all(colon and _TOKEN.fullmatch(name) and b"\n" not in value + name for name, colon, value in pairs)
    return fields if plain and len(fields) == len(pairs) and not _WITH_BODY & set(fields) else None
