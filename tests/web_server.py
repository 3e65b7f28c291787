"""An ASGI application behind the connections of the server, on a port of this machine, without models."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from serve.web.connections import PatientConnection
from serve.web.lanes import Place

Address = tuple[str, int]


@contextmanager
def listening(app: ASGIApp, place: Callable[[], Place | None] = lambda: None) -> Iterator[Address]:
    """Serve until the block ends, with a place for each connection; yields the address."""
    config = uvicorn.Config(app, http=PatientConnection, ws="none", lifespan="off", log_config=None, access_log=False)
    config.load()
    loop, state = asyncio.new_event_loop(), ServerState()
    server = loop.run_until_complete(
        loop.create_server(lambda: PatientConnection(config, state, {}, loop, place=place()), "127.0.0.1", 0)
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(lambda: [connection.transport.abort() for connection in tuple(state.connections)])
        loop.call_soon_threadsafe(loop.call_later, 0.1, loop.stop)
        thread.join()
        loop.close()


def said(address: Address, *pieces: bytes, pause_seconds: float = 0.1) -> bytes:
    """Send pieces one after the other, and return all that comes until the other side closes."""
    with socket.create_connection(address, timeout=10) as connection:
        answer = b""
        with contextlib.suppress(ConnectionError):  # it was closed while more was sent
            for number, piece in enumerate(pieces):
                threading.Event().wait(pause_seconds if number else 0)
                connection.sendall(piece)
            while more := connection.recv(65_536):
                answer += more
    return answer
