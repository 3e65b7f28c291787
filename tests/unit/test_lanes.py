"""Places are bounded; workers that never come back are counted."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from serve.web.lanes import NICEST, Lane, Place
from serve.web.refusals import LaterError, answer


def test_a_full_lane_refuses_with_a_time_to_come_again() -> None:
    lane = Lane("videos", at_once=1, waiting=1)
    places = Place(lane), Place(lane)
    assert lane.full
    with pytest.raises(LaterError, match="2 requests for videos") as refused:
        Place(lane)
    assert 1 <= int(answer(refused.value).headers["retry-after"]) <= 60
    for place in places:
        place.leave()
    assert not lane.full


def test_a_place_is_left_once() -> None:
    lane = Lane("videos", at_once=2, waiting=0)
    place, _other = Place(lane), Place(lane)
    place.leave()
    place.leave()
    assert lane.taken == 1


def test_a_place_moves_to_another_lane_or_stays_where_that_is_full() -> None:
    pictures, videos = Lane("pictures", at_once=1, waiting=0), Lane("videos", at_once=1, waiting=0)
    place = Place(pictures)
    place.move(videos)
    assert (pictures.taken, videos.taken, place.lane) == (0, 1, videos)
    late = Place(pictures)
    with pytest.raises(LaterError, match="1 requests for videos"):
        late.move(videos)
    assert (pictures.taken, videos.taken, late.lane) == (1, 1, pictures)
    for each in (place, late):
        each.leave()
    assert (pictures.taken, videos.taken) == (0, 0)


def test_waiting_work_can_be_cancelled_and_running_work_not() -> None:
    lane, go = Lane("videos", at_once=1, waiting=1), threading.Event()
    running, waiting = lane.submit(go.wait), lane.submit(go.wait)
    while not running.running():
        pass
    lane.cancel_waiting()
    go.set()
    assert running.result(10)
    assert waiting.cancelled()


def test_a_lane_whose_every_worker_hangs_says_so_until_one_comes_back() -> None:
    lane, go = Lane("videos", at_once=2, waiting=0), threading.Event()
    stuck = [lane.submit(go.wait) for _ in range(2)]
    lane.give_up(stuck[0])
    assert not lane.stuck
    lane.give_up(stuck[1])
    assert lane.stuck
    assert not lane.close()
    go.set()
    for future in stuck:
        future.result(10)
    until = time.monotonic() + 10
    while lane.stuck and time.monotonic() < until:
        time.sleep(0.01)
    assert not lane.stuck
    assert lane.close()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux alone")
def test_workers_are_nicer_than_the_thread_that_answers() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    lane = Lane("pictures", at_once=1, waiting=0)
    assert lane.submit(niceness).result(10) == NICEST
    assert lane.close()
