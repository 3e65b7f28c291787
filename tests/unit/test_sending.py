"""Answers and places: a place is held until its answer was sent, and nobody who takes nothing holds one for long."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from serve.sagemaker import create_app
from serve.settings import load_settings
from serve.web import connections
from serve.web.admission import Admission
from serve.web.lanes import PLACE
from serve.web.sending import PIECE_BYTES, in_pieces
from serve.web.service import Service
from tests.web_server import Address, listening, said

HEAD = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: video/mp4\r\nConnection: close\r\n"
LARGE = bytes(range(256)) * 200_000  # 51 MB, more than the system buffers


def service(**settings: object) -> Service:
    made = Service(load_settings(videos_at_once=1, videos_waiting=0, **settings), deadline_seconds=60)
    made.health.loaded()
    return made


def waited_for(holds: Callable[[], bool], seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    return holds()


def with_large_answers(of: Service) -> Admission:
    """Return an application that answers at length to whoever has a place."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert PLACE in scope
        await Response(LARGE)(scope, receive, send)

    return Admission(app, of)


def test_a_place_is_held_until_the_answer_was_taken() -> None:
    busy = service()
    with listening(with_large_answers(busy)) as address, socket.create_connection(address) as slow:
        slow.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
        assert waited_for(lambda: busy.videos.full)
        time.sleep(0.2)
        assert said(address, HEAD + b"Content-Length: 0\r\n\r\n").startswith(b"HTTP/1.1 503 ")
        answer = b""
        while piece := slow.recv(1 << 20):
            answer += piece
        assert answer.endswith(LARGE)
        assert waited_for(lambda: busy.videos.taken == 0)


def test_who_takes_nothing_of_an_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_TAKE_SECONDS", 0.2)
    busy = service()
    with listening(with_large_answers(busy)) as address, socket.create_connection(address) as deaf:
        deaf.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
        assert waited_for(lambda: busy.videos.full)
        assert waited_for(lambda: busy.videos.taken == 0)
        rest = iter(lambda: deaf.recv(1 << 20), b"")
        assert sum(map(len, rest)) < len(LARGE)


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES, len(LARGE)])
def test_the_pieces_of_an_answer_are_the_answer(size: int) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(LARGE[:size])(scope, receive, in_pieces(send))

    with listening(app) as address:
        head, _, body = said(address, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").partition(b"\r\n\r\n")
    assert b"content-length: %d" % size in head
    assert body == LARGE[:size]


def test_no_piece_is_longer_than_the_others() -> None:
    sent: list[Message] = []

    async def keep(message: Message) -> None:
        sent.append(message)

    body: Message = {"type": "http.response.body", "body": bytes(2 * PIECE_BYTES + 5), "more_body": False}
    with pytest.raises(StopIteration):
        in_pieces(keep)(body).__await__().__next__()
    assert [len(message["body"]) for message in sent] == [PIECE_BYTES, PIECE_BYTES, 5]
    assert [message["more_body"] for message in sent] == [True, True, False]


def test_a_body_of_json_lines_is_only_read_when_there_is_a_place_for_it() -> None:
    head = HEAD.replace(b"video/mp4", b"application/jsonlines") + b"Content-Length: 1000\r\n\r\n"
    busy = service()
    with listening(create_app(busy)) as address, begun(address, head + b'{"media": ') as first:
        assert waited_for(lambda: busy.videos.full)
        assert said(address, head).startswith(b"HTTP/1.1 503 ")
        first.close()
        assert waited_for(lambda: not busy.videos.full)


def begun(address: Address, request: bytes) -> socket.socket:
    """Send the beginning of a request."""
    connection = socket.create_connection(address)
    connection.sendall(request)
    return connection
