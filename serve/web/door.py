"""Who comes in: a thread of its own accepts connections, answers /ping, refuses what a full server cannot take, and
hands all others to the event loop.

The event loop takes connections in turn: where hundreds ask at once, each waits for all the others, and so would /ping,
by which an orchestrator tells a busy server from a dead one, and who was admitted. Here a connection is only looked at
(MSG_PEEK) until its first bytes tell what it wants; what is handed over is as the client sent it.

Who is refused still sends its body. It is thrown away by the system until the client closes, for a connection that is
closed with bytes unread is reset, and the client may never read the answer (nginx's `lingering_close` does the same).
"""

from __future__ import annotations

import logging
import re
import selectors
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from http import HTTPStatus
from time import monotonic, sleep

from starlette.responses import Response

from serve.web.connections import MOST_HEADER_BYTES, MOST_HEADER_SECONDS
from serve.web.heads import Head, plain_head
from serve.web.health import State, pinged
from serve.web.lanes import Place
from serve.web.tracing import begin, tell

log = logging.getLogger(__name__)

BACKLOG = 2048
MOST_WAITING = 2000  # connections that have said nothing yet
REST_SECONDS = 0.2  # where the system has no more descriptors
LINGER_SECONDS = 30.0  # for who was refused to send the rest and to read why
_TICK_SECONDS = 1.0
_PING = b"GET /ping HTTP/1.1"
_WORK = re.compile(rb"POST (/invocations)(?:\?\S*)? HTTP/1\.1")
_PIECE_BYTES = 1 << 20
_UNCOPIED = socket.MSG_TRUNC if sys.platform == "linux" else 0  # tcp(7): thrown away by the system

Admit = Callable[[dict[str, str]], Place | Response]
HandOver = Callable[[socket.socket, Place | None], None]


class Door:
    """A listening socket and the thread at it; closes as the servers of asyncio do."""

    def __init__(
        self,
        listener: socket.socket,
        state: Callable[[], State],
        admit: Admit,
        hand_over: HandOver,
    ) -> None:
        """Begin to accept; all are called on the door's thread.

        `admit` takes the fields of a request for work, by name in lower case, and returns a place for it, or the answer
        to one that cannot be taken; `hand_over` owns the connection, and the place of the request that it begins with.
        """
        self._listener, self._state, self._admit, self._hand_over = listener, state, admit, hand_over
        self._until: dict[socket.socket, float] = {}  # connections that wait, and when they have waited too long
        self._refused: dict[socket.socket, None] = {}  # those of them that have their answer
        self._rest = bytearray(_PIECE_BYTES)
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
        swept_seconds = monotonic()
        while True:
            found = [key.fileobj for key, _ in self._selector.select(_TICK_SECONDS)]
            ready = [each for each in found if isinstance(each, socket.socket)]
            if self._closing in ready:
                break
            for each in ready:
                if each is self._listener:
                    self._accept()
                elif each in self._refused:
                    self._throw_away(each)
                elif each in self._until:
                    self._look(each)
            if monotonic() >= swept_seconds + _TICK_SECONDS:
                swept_seconds = monotonic()
                self._send_late_ones_away()
        for waiting in tuple(self._until):
            self._forget(waiting).close()
        for own in (self._listener, self._closing, self._wake, self._selector):
            own.close()

    def _send_late_ones_away(self) -> None:
        now = monotonic()
        for late in [waiting for waiting, until in self._until.items() if until < now]:
            self._forget(late).close()

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
            self._forget(next(iter(self._refused or self._until))).close()  # who came first had the most time
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
            seen = self._seen(connection)
            if seen == b"":
                self._forget(connection).close()
            elif seen is not None:
                self._serve(connection, seen)
        except Exception as error:  # that an answer cannot be sent, too: it would be tried again and again
            if not isinstance(error, OSError):
                log.exception("a connection was dropped")
            if connection in self._until:
                self._forget(connection).close()

    @staticmethod
    def _seen(connection: socket.socket) -> bytes | None:
        """Return the first bytes, which stay where they are; none at its end, and None where there are none yet."""
        try:
            return connection.recv(MOST_HEADER_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            return None

    def _serve(self, connection: socket.socket, seen: bytes) -> None:
        """Answer, or hand over; in contexts of their own, for the id of a request is nobody else's."""
        head = plain_head(seen)
        if head is not None and head.first == _PING and not head.has_body:
            copy_context().run(self._ping, connection, head)
        elif head is not None and (work := _WORK.fullmatch(head.first)):
            copy_context().run(self._work, connection, head, work[1].decode())
        else:
            self._hand_over(self._forget(connection), None)

    def _ping(self, connection: socket.socket, head: Head) -> None:
        start_seconds = monotonic()
        named = begin(head.fields)
        status, body = pinged(self._state())
        stays = head.fields.get("connection", "").lower() != "close"
        named.append((b"content-length", b"%d" % len(body)))
        named += [(b"content-type", b"application/json")] if body else []
        told = _message(status, named, body, stays=stays)
        connection.recv(head.size_bytes)
        stays &= connection.send(told) == len(told)  # less is sent to a client alone that asks on and reads nothing
        tell("GET", "/ping", status, monotonic() - start_seconds, body_bytes=0)
        if stays:
            self._until[connection] = monotonic() + MOST_HEADER_SECONDS
        else:
            self._forget(connection).close()

    def _work(self, connection: socket.socket, head: Head, route: str) -> None:
        """Find a place for work, or refuse it."""
        start_seconds = monotonic()
        named = begin(head.fields)
        found = self._admit(head.fields)
        if isinstance(found, Place):
            self._hand_over(self._forget(connection), found)
            return
        connection.send(_message(found.status_code, [*found.raw_headers, *named], bytes(found.body), stays=False))
        connection.shutdown(socket.SHUT_WR)
        tell("POST", route, found.status_code, monotonic() - start_seconds, body_bytes=0)
        self._refused[connection] = None
        self._until[connection] = monotonic() + LINGER_SECONDS

    def _throw_away(self, connection: socket.socket) -> None:
        """Take what a refused client sends on, until it closes."""
        try:
            ended = not connection.recv_into(self._rest, flags=_UNCOPIED)
        except BlockingIOError:
            return
        except OSError:
            ended = True
        if ended:
            self._forget(connection).close()

    def _forget(self, connection: socket.socket) -> socket.socket:
        del self._until[connection]
        self._refused.pop(connection, None)
        self._selector.unregister(connection)
        return connection


def _message(status: int, named: list[tuple[bytes, bytes]], body: bytes, *, stays: bool) -> bytes:
    """Return an answer as it is sent."""
    closing = [] if stays else [b"connection: close"]
    lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode()), *map(b": ".join, named), *closing]
    return b"\r\n".join([*lines, b"", body])
