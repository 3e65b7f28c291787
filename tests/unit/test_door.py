"""The door: /ping is answered whatever the event loop does, and everything else reaches it as it was sent."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from starlette.responses import Response

from serve.logs import request_id
from serve.web import door
from serve.web.door import Door
from serve.web.health import State
from serve.web.lanes import Lane, Place

PING = b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n"


class Hall:
    """What stands behind a door in these tests: a state, and whoever was let through."""

    def __init__(self) -> None:
        self.state: State = "ready"
        self.let_in: list[socket.socket] = []
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = listener.getsockname()
        self.hand_over: Callable[[socket.socket], object] = self.let_in.append
        self.refusal: Response | None = None
        self.asked: list[dict[str, str]] = []
        self.places: list[Place | None] = []
        self.lane = Lane("pictures", at_once=1, waiting=0)
        self.door = Door(listener, lambda: self.state, self.admit, self._hand_over)

    def admit(self, fields: dict[str, str]) -> Place | Response:
        """Refuse whatever comes, or nothing."""
        self.asked.append(fields)
        return self.refusal or Place(self.lane)

    def _hand_over(self, given: socket.socket, place: Place | None) -> None:
        self.places.append(place)
        self.hand_over(given)

    def connect(self) -> socket.socket:
        """Come to the door."""
        return socket.create_connection(self.address, timeout=5)

    def guest(self) -> socket.socket:
        """Return the connection that was let through last, once there is one."""
        until = time.monotonic() + 5
        while not self.let_in and time.monotonic() < until:
            time.sleep(0.005)
        found = self.let_in.pop()
        found.settimeout(5)
        return found


@pytest.fixture
def hall() -> Iterator[Hall]:
    made = Hall()
    yield made
    made.door.close()
    for connection in made.let_in:
        connection.close()


def said(connection: socket.socket) -> tuple[bytes, dict[str, str], bytes]:
    """Return the status line, the header and the body of an answer."""
    head, _, body = connection.recv(10_000).partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    return first, dict(line.decode().split(": ", 1) for line in lines), body


def test_ping_is_answered_without_the_event_loop_and_the_connection_stays(hall: Hall) -> None:
    with hall.connect() as connection:
        for _ in range(3):
            connection.sendall(PING)
            status, header, body = said(connection)
            assert (status, body, header["content-length"]) == (b"HTTP/1.1 200 OK", b"", "0")
    assert hall.let_in == []


@pytest.mark.parametrize(("state", "status"), [("busy", 200), ("starting", 503), ("failed", 503), ("draining", 503)])
def test_ping_tells_the_state(hall: Hall, state: State, status: int) -> None:
    hall.state = state
    with hall.connect() as connection:
        connection.sendall(PING)
        line, header, body = said(connection)
    assert line.startswith(b"HTTP/1.1 %d " % status)
    assert int(header["content-length"]) == len(body)
    assert status == 200 or json.loads(body) == {"state": state}


def test_an_id_of_the_client_comes_back_and_close_closes(hall: Hall) -> None:
    with hall.connect() as connection:
        connection.sendall(b"GET /ping HTTP/1.1\r\nX-Request-ID: mine-7\r\nconnection: Close\r\n\r\n")
        _, header, _ = said(connection)
        assert (header["x-request-id"], header["connection"]) == ("mine-7", "close")
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /pingpong HTTP/1.1\r\n\r\n",
        b"GET /ping HTTP/1.0\r\n\r\n",
        b"HEAD /ping HTTP/1.1\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /ping HTTP/1.1\r\nno field\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nContent-Length : 3\r\n\r\nabc",
        b"GET /ping HTTP/1.1\r\nX: a\nContent-Length: 3\r\n\r\nabc",
        b"GET /ping HTTP/1.1\r\nX: a\rContent-Length: 3\r\n\r\nabc",
        b"GET /ping HTTP/1.1\r\nX: a\0b\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nX: a\r\n Transfer-Encoding: chunked\r\n\r\n0",
        b"GET /ping HTTP/1.1\r\nHost: a",
        b"\x16\x03\x01 no HTTP at all",
    ],
)
def test_everything_else_is_let_through_as_it_was_sent(hall: Hall, request_bytes: bytes) -> None:
    with hall.connect() as connection:
        connection.sendall(request_bytes)
        with hall.guest() as guest:
            assert guest.recv(10_000) == request_bytes


def test_who_cannot_be_answered_is_sent_away_at_once(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a client asks on and reads nothing: what was only looked at would wake the door again and again."""
    hall.refusal = Response("full", 503)

    def blocked(*_given: object, **_named: object) -> bytes:
        raise BlockingIOError

    monkeypatch.setattr(door, "_message", blocked)
    with hall.connect() as connection:
        connection.sendall(WORK)
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""
    assert len(hall.asked) == 1


def send_on(connection: socket.socket) -> None:
    """Send for five seconds."""
    for _ in range(100):
        connection.sendall(b"more")
        time.sleep(0.05)


WORK = (
    b"POST /invocations?format=csv HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\nContent-Length: 9000000\r\n\r\n"
)


def test_work_is_let_through_with_its_place_and_everything_else_without(hall: Hall) -> None:
    with hall.connect() as connection:
        connection.sendall(WORK)
        with hall.guest() as guest:
            assert guest.recv(10_000) == WORK
    with hall.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        hall.guest().close()
    (place, none) = hall.places
    assert (hall.lane.taken, none) == (1, None)
    assert place is not None
    place.leave()
    assert hall.lane.taken == 0


def test_work_that_cannot_be_taken_is_refused_without_the_event_loop(hall: Hall) -> None:
    hall.refusal = Response("full", 503, {"Retry-After": "7"})
    with hall.connect() as connection:
        connection.sendall(WORK.replace(b"Host: a", b"X-Request-Id: mine-7"))
        status, header, body = said(connection)
    assert (status, body) == (b"HTTP/1.1 503 Service Unavailable", b"full")
    assert (header["retry-after"], header["x-request-id"], header["connection"]) == ("7", "mine-7", "close")
    assert hall.asked[0]["content-type"] == "image/jpeg"
    assert hall.let_in == []


def test_who_is_refused_can_send_the_whole_body_before_reading_why(hall: Hall) -> None:
    hall.refusal = Response("full", 503)
    with hall.connect() as connection:
        connection.sendall(WORK)
        connection.sendall(bytes(9_000_000))  # far more than the system holds: somebody must take it
        assert said(connection)[0] == b"HTTP/1.1 503 Service Unavailable"
        assert connection.recv(1) == b""


def test_who_is_refused_and_sends_on_for_too_long_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "LINGER_SECONDS", 0.1)
    monkeypatch.setattr(door, "_TICK_SECONDS", 0.05)
    hall = Hall()
    hall.refusal = Response("full", 503)
    with hall.connect() as connection:
        connection.sendall(WORK)
        with pytest.raises(ConnectionError):
            send_on(connection)
    hall.door.close()


@pytest.mark.parametrize(
    "request_bytes",
    [
        WORK.replace(b"POST", b"PUT"),
        WORK.replace(b"invocations", b"invocations/more"),
        WORK.replace(b"HTTP/1.1", b"HTTP/1.0"),
        WORK.replace(b"\r\nHost", b"\r\n Host"),
        WORK.replace(b"Host: a", b"Content-Length: 7"),
        WORK.removesuffix(b"\r\n"),
    ],
)
def test_only_plain_requests_for_work_are_refused(hall: Hall, request_bytes: bytes) -> None:
    hall.refusal = Response("full", 503)
    with hall.connect() as connection:
        connection.sendall(request_bytes)
        with hall.guest() as guest:
            assert guest.recv(10_000) == request_bytes
    assert hall.asked == []


def test_what_follows_a_ping_on_its_connection_is_let_through(hall: Hall) -> None:
    with hall.connect() as connection:
        connection.sendall(PING + b"GET /readyz HTTP/1.1\r\n\r\n")
        assert said(connection)[0] == b"HTTP/1.1 200 OK"
        with hall.guest() as guest:
            assert guest.recv(10_000) == b"GET /readyz HTTP/1.1\r\n\r\n"


def test_who_says_nothing_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MOST_HEADER_SECONDS", 0.1)
    monkeypatch.setattr(door, "_TICK_SECONDS", 0.05)
    hall = Hall()
    with hall.connect() as silent:
        assert silent.recv(1) == b""
    hall.door.close()


def test_where_too_many_wait_in_silence_the_first_of_them_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MOST_WAITING", 2)
    hall = Hall()
    with hall.connect() as first, hall.connect(), hall.connect() as third:
        assert first.recv(1) == b""
        third.sendall(PING)
        assert said(third)[0] == b"HTTP/1.1 200 OK"
    hall.door.close()


def test_a_connection_that_cannot_be_served_costs_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall()
    monkeypatch.setattr(door, "pinged", lambda _state: 1 / 0)
    with hall.connect() as unlucky:
        unlucky.sendall(PING)
        with suppress(ConnectionResetError):
            assert unlucky.recv(1) == b""
    monkeypatch.undo()
    with hall.connect() as connection:
        connection.sendall(PING)
        assert said(connection)[0] == b"HTTP/1.1 200 OK"
    hall.door.close()


def test_the_id_of_a_ping_is_nobody_elses(hall: Hall) -> None:
    with hall.connect() as connection:
        connection.sendall(b"GET /ping HTTP/1.1\r\nX-Request-Id: mine-7\r\n\r\n")
        said(connection)
        seen: list[str | None] = []
        hall.hand_over = lambda given: (seen.append(request_id.get()), hall.let_in.append(given))
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        hall.guest().close()
    assert seen == [None]


def test_a_closed_door_accepts_nobody_and_drops_who_waits(hall: Hall) -> None:
    with hall.connect() as waiting:
        time.sleep(0.05)
        hall.door.close()
        with suppress(ConnectionResetError):
            assert waiting.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            hall.connect()
