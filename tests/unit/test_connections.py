"""Connections: another protocol is politely not spoken, and what cannot be read is refused like everything else."""

from __future__ import annotations

import json
import logging
import socket

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from serve.web import connections
from serve.web.lanes import PLACE, Lane, Place
from tests.web_server import Address, listening, said

H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"  # as Java says it
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what came."""
    request = Request(scope, receive)
    body = (await request.body()).decode()
    await JSONResponse({"path": scope["path"], "upgrade": request.headers.get("upgrade"), "body": body})(
        scope, receive, send
    )


def bodies(answer: bytes) -> list[dict[str, str]]:
    """Return the JSON documents of several answers on one connection."""
    found = []
    while answer:
        head, _, answer = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK"), head
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        found.append(json.loads(answer[:length]))
        answer = answer[length:]
    return found


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("at_once", [False, True])
def test_a_wish_for_http2_is_passed_over_and_the_body_is_the_body(
    caplog: pytest.LogCaptureFixture, *, chunked: bool, at_once: bool
) -> None:
    if chunked:
        length, body = b"Transfer-Encoding: chunked\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
    else:
        length, body = b"Content-Length: %d\r\n" % len(SMUGGLED), SMUGGLED
    head = b"POST /first HTTP/1.1\r\nHost: a\r\n" + H2C + length + b"\r\n"
    pieces = [head + body + LAST] if at_once else [head, body[:20], body[20:], LAST]
    with caplog.at_level(logging.INFO), listening(echo) as address:
        answers = bodies(said(address, *pieces))
    assert answers == [
        {"path": "/first", "upgrade": None, "body": SMUGGLED.decode()},
        {"path": "/last", "upgrade": None, "body": ""},
    ]
    assert "WebSocket" not in caplog.text
    assert "upgrade" not in caplog.text.lower()


def test_a_wish_for_a_websocket_is_an_ordinary_request() -> None:
    head = b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    with listening(echo) as address:
        assert [answer["path"] for answer in bodies(said(address, head, LAST))] == ["/chat", "/last"]


def test_thousands_of_such_wishes_in_a_row_are_answered_one_by_one() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\n" + H2C + b"\r\n"
    with listening(echo) as address:
        assert len(bodies(said(address, head * 1500 + LAST))) == 1501


@pytest.mark.parametrize(
    ("request_bytes", "said_of_it"),
    [
        (b"NONSENSE\r\n\r\n", "no HTTP request"),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "no HTTP request"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 60_000 + b"\r\n\r\n", "the header is too long"),
    ],
)
def test_what_cannot_be_read_is_refused_in_json_with_an_id(request_bytes: bytes, said_of_it: str) -> None:
    with listening(echo) as address:
        error = refusal(address, request_bytes, b"400 Bad Request")
    assert said_of_it in str(error["message"])


def test_a_connection_too_many_is_told_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 1)
    with listening(echo) as address:
        error = refusal(address, LAST, b"503 Service Unavailable", retry_after=True)
    assert error["type"] == "LaterError"


def refusal(address: Address, request: bytes, status: bytes, *, retry_after: bool = False) -> dict[str, object]:
    """Return what an answer says of an error; it ends the connection."""
    head, _, body = said(address, request).partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    header = dict(line.decode().lower().split(": ", 1) for line in lines)
    error: dict[str, object] = json.loads(body)["error"]
    assert first == b"HTTP/1.1 " + status
    assert header["connection"] == "close"
    assert header["content-type"] == "application/json"
    assert header["x-request-id"] == error["request_id"]
    assert ("retry-after" in header) == retry_after
    return error


@pytest.mark.parametrize("request_bytes", [b"", b"POST /invocations HTTP/1.1\r\nno field\r\n\r\n", LAST])
def test_a_place_that_came_with_a_connection_is_its_first_requests_or_is_left(request_bytes: bytes) -> None:
    lane = Lane("videos", at_once=2, waiting=0)
    found: list[Place | None] = []

    async def keep(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(scope.get(PLACE))
        await echo(scope, receive, send)

    with listening(keep, place=lambda: Place(lane)) as address, socket.create_connection(address) as connection:
        connection.sendall(request_bytes)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass
    left = 1 if request_bytes == LAST else 0  # who has the place leaves it
    assert lane.taken == left
    assert [place is not None for place in found] == [True] * left
