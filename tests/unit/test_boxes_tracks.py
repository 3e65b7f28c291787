"""Boxes of sampled frames become tracks."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np

from model_zoo.ops.time import ends_by_time, most_missed_seconds
from model_zoo.ops.tracks import Track, link, nearness
from model_zoo.values import Box, Prediction


def square(x: float, label: str = "dog", y: float = 0.0, side: float = 40.0) -> Box:
    return Box(label, 0.9, x, y, x + side, y + side)


def linked(
    boxes: Sequence[tuple[Box, ...]], step_seconds: float = 1.0, cuts_seconds: Sequence[float] = ()
) -> list[Track]:
    """Link the boxes of samples that are so far apart, of which one may be missed."""
    predictions = [Prediction(step_seconds * number, boxes=found) for number, found in enumerate(boxes)]
    ends = ends_by_time(predictions, inf, step_seconds * len(boxes))
    return link(predictions, ends, most_missed_seconds(predictions, 1.0), cuts_seconds)


def paths(tracks: list[Track]) -> list[tuple[str, list[float], list[float]]]:
    return [(track.label, track.seconds, [box.x1 for box in track.boxes]) for track in tracks]


def test_a_thing_that_moves_a_little_is_one_track() -> None:
    found = linked(((square(0),), (square(20),), (square(40),)))
    assert paths(found) == [("dog", [0, 1, 2], [0, 20, 40])]


def test_a_thing_at_a_steady_pace_is_found_where_it_is_heading() -> None:
    found = linked(((square(0),), (square(30),), (square(60),), (), (square(120),)))
    assert len(found) == 1


def test_a_thing_far_away_is_another() -> None:
    assert len(linked(((square(0),), (square(200),)))) == 2


def test_another_class_is_another_thing() -> None:
    assert len(linked(((square(0),), (square(0, "cat"),)))) == 2


def test_a_track_ends_after_a_long_gap() -> None:
    assert len(linked(((square(0),), (), (square(0),)))) == 1
    assert len(linked(((square(0),), (), (), (square(0),)))) == 2


def test_a_thing_in_a_slow_video_is_one_track() -> None:
    assert len(linked(((square(0),), (square(10),), (square(20),)), step_seconds=5.0)) == 1
    assert len(linked(((square(0),), (), (square(0),)), step_seconds=5.0)) == 2


def test_a_track_ends_at_a_cut() -> None:
    assert len(linked(((square(0),), (square(0),)), cuts_seconds=(0.6,))) == 2


def test_two_things_keep_their_tracks_when_listed_in_another_order() -> None:
    found = linked(((square(0), square(100)), (square(105), square(5))))
    assert paths(found) == [("dog", [0, 1], [0, 5]), ("dog", [0, 1], [100, 105])]


def test_each_box_belongs_to_one_track_only() -> None:
    found = linked(((square(0),), (square(0), square(4)), (square(0), square(4))))
    assert sorted(len(track.boxes) for track in found) == [2, 3]


def test_nearness_falls_from_one_with_distance() -> None:
    here = np.array([[0, 0, 40, 40]], np.float32)
    shifted = np.array([[x, 0, x + 40, 40] for x in (0, 10, 29, 40, 200)], np.float32)
    near = nearness(here, shifted)[0].tolist()
    assert near[0] == 1
    assert near == sorted(near, reverse=True)
    assert near[2] > 0 > near[3]
