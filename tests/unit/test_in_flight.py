"""Batches are looked at several at once, and nobody can tell from the results."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from serve.in_flight import ON_CPU, InFlight

WAIT_SECONDS = 10.0


class Desk:
    """Work that waits until it is told to end; `open` begins more of it than may be under way at once."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.most = self.under_way = 0
        self._gates = [threading.Event() for _ in range(20)]
        self._lock = threading.Lock()
        self.arrived = threading.Semaphore(0)

    def do(self, number: int) -> int:
        """Wait at the gate of this number."""
        with self._lock:
            self.begun.append(number)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        self.arrived.release()
        assert self._gates[number].wait(WAIT_SECONDS)
        with self._lock:
            self.under_way -= 1
        return number

    def end(self, *numbers: int) -> None:
        """Open gates."""
        for number in numbers:
            self._gates[number].set()


def run(desk: Desk, most: int, orders: list[str | None]) -> list[int]:
    with InFlight[int](most) as in_flight:
        over = [
            done for number, order in enumerate(orders) for done in in_flight.begin(partial(desk.do, number), order)
        ]
        return [*over, *in_flight.rest()]


def test_with_one_at_once_everything_happens_on_the_callers_thread() -> None:
    with InFlight[int](ON_CPU) as in_flight:
        assert in_flight.begin(threading.get_ident) == [threading.get_ident()]
        assert list(in_flight.rest()) == []


def test_results_come_in_the_order_of_the_beginning_whatever_ends_first() -> None:
    desk = Desk()
    with InFlight[int](4) as in_flight:
        for number in range(3):
            assert in_flight.begin(partial(desk.do, number)) == []
        for _ in range(3):
            assert desk.arrived.acquire(timeout=WAIT_SECONDS)
        desk.end(2, 1, 0)
        assert list(in_flight.rest()) == [0, 1, 2]
    assert desk.most == 3


@pytest.mark.parametrize("most", [2, 3])
def test_no_more_than_the_most_is_under_way(most: int) -> None:
    desk = Desk()
    desk.end(*range(20))
    assert run(desk, most, [None] * 20) == list(range(20))
    assert desk.most <= most


def test_what_must_stay_in_order_does() -> None:
    """A watcher that keeps state has its second batch wait for its first; one that keeps none goes ahead."""
    desk = Desk()
    with InFlight[int](4) as in_flight:
        for number, order in enumerate(["shots", "shots", None]):
            in_flight.begin(partial(desk.do, number), order)
        for _ in range(2):
            assert desk.arrived.acquire(timeout=WAIT_SECONDS)
        assert sorted(desk.begun) == [0, 2]
        desk.end(0, 1, 2)
        assert list(in_flight.rest()) == [0, 1, 2]
    assert sorted(desk.begun) == [0, 1, 2]


def test_an_error_reaches_the_caller_and_what_is_under_way_is_waited_for() -> None:
    desk = Desk()

    def fails() -> int:
        raise ValueError(f"batch {desk.do(0)} failed")

    def run_both() -> None:
        with InFlight[int](3) as in_flight:
            in_flight.begin(fails)
            in_flight.begin(partial(desk.do, 1))
            for _ in range(2):
                assert desk.arrived.acquire(timeout=WAIT_SECONDS)
            desk.end(0, 1)
            list(in_flight.rest())

    with pytest.raises(ValueError, match="batch 0 failed"):
        run_both()
    assert desk.under_way == 0
