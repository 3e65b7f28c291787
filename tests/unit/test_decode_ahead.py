"""Running an iterator ahead of its reader."""

import threading
import time
from collections.abc import Generator

import pytest

from serve.decode.ahead import ahead


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "reelwarden-ahead"]


def counting(end: int, seen: list[int], closed: list[bool] | None = None) -> Generator[int, None, None]:
    try:
        for number in range(end):
            seen.append(number)
            yield number
    finally:
        if closed is not None:
            closed.append(True)


def wait_until(condition: object, seconds: float = 2.0) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:  # type: ignore[operator]
        time.sleep(0.005)


def test_everything_arrives_in_order() -> None:
    with ahead(counting(100, []), depth=3) as items:
        assert list(items) == list(range(100))
    assert threads() == []


def test_the_thread_runs_ahead_but_no_further_than_the_depth() -> None:
    seen: list[int] = []
    with ahead(counting(100, seen), depth=3) as items:
        wait_until(lambda: len(seen) == 3)
        time.sleep(0.05)
        assert len(seen) == 3
        next(items)
        wait_until(lambda: len(seen) == 4)
        assert len(seen) == 4


def test_a_reader_that_stops_early_leaves_no_thread_and_closes_the_iterator() -> None:
    closed: list[bool] = []
    with ahead(counting(10**9, [], closed), depth=2) as items:
        assert next(items) == 0
    assert closed == [True]
    assert threads() == []


def test_ctrl_c_in_the_reader_leaves_no_thread() -> None:
    def interrupted() -> None:
        with ahead(counting(10**9, []), depth=2) as items:
            next(items)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert threads() == []


def test_an_error_is_raised_in_the_reader_after_what_came_before_it() -> None:
    def breaking() -> Generator[int, None, None]:
        yield 1
        yield 2
        raise OSError("the disk is gone")

    received: list[int] = []
    with pytest.raises(OSError, match="the disk is gone"), ahead(breaking(), depth=4) as items:
        received.extend(items)
    assert received == [1, 2]
    assert threads() == []


def test_the_reader_may_ask_again_after_the_end() -> None:
    with ahead(counting(1, []), depth=1) as items:
        assert list(items) == [0]
        assert list(items) == []


def test_a_depth_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="depth=0"), ahead(counting(1, []), depth=0):
        pass
