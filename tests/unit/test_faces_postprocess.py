"""What becomes of found faces: tracks, people and times; from made-up embeddings, without weights."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from model_zoo import faces
from model_zoo.catalog import catalog, named
from model_zoo.domain import Options, Summary
from model_zoo.faces import gallery
from model_zoo.faces.schema import FacesPart
from model_zoo.report import DomainPart
from model_zoo.shots.schema import Shot, ShotsPart
from model_zoo.values import Box, Prediction

DETECTOR, EMBEDDER = named(["blazeface_full_range", "dlib_face_resnet"], catalog())
SIZE = (1000, 500)
GOOD = (100.0, 80.0, 5.0, 5.0, 0.0)  # size, sharpness, yaw, pitch, roll
POOR = (20.0, 80.0, 5.0, 5.0, 0.0)
POINTS = np.array([[60, 40], [50, 40], [20, 40], [30, 40], [40, 60]], np.float32)

Seen = tuple[float, str | None]  # x of the box, and who it is; None for a face too poor to be compared


def embedding(name: str) -> np.ndarray:
    """Return what the network would say of a person: people are 0.7 apart."""
    row = np.zeros(128, np.float32)
    row[ord(name) - ord("A")] = 0.5
    return row


def frame(seconds: float, *seen: Seen) -> Prediction:
    return Prediction(
        seconds,
        boxes=tuple(Box("face", 0.9, x, 100, x + 100, 200) for x, _ in seen),
        arrays={
            "embedding": np.array([embedding(who) if who else np.full(128, np.nan) for _, who in seen], np.float32),
            "quality": np.array([GOOD if who else POOR for _, who in seen], np.float32),
            "points": np.array([POINTS + np.array([x, 100]) for x, _ in seen], np.float32),
        },
    )


def part_of(
    *frames: Prediction, shots: Sequence[float] = (), options: Options | None = None, interval_seconds: float = 1.0
) -> FacesPart:
    parts: dict[str, DomainPart] = {}
    if shots:
        parts["shots"] = ShotsPart(segments=[shot(n, start) for n, start in enumerate([0.0, *shots])])
    models = {"detector": DETECTOR, "embedder": EMBEDDER}
    end = frames[-1].seconds + interval_seconds
    given = options or Options()
    return faces.summarize(Summary({"detector": frames}, models, interval_seconds, end, *SIZE, parts, options=given))


def shot(index: int, start_seconds: float) -> Shot:
    return Shot(
        start_seconds=start_seconds,
        end_seconds=start_seconds + 1,
        peak_seconds=start_seconds,
        peak_confidence=1,
        mean_confidence=1,
        frames=1,
        index=index,
        opened_by="cut",
    )


def test_people_are_numbered_in_order_of_appearance_from_left_to_right() -> None:
    part = part_of(frame(0, (600, "B"), (100, "A")), frame(1), frame(2), frame(3), frame(4, (300, "C"), (700, "A")))
    assert [(person.id, person.first_seen_seconds, person.faces) for person in part.people] == [
        ("person-1", 0, 2),
        ("person-2", 0, 1),
        ("person-3", 4, 1),
    ]
    assert [(track.track, track.person) for track in part.tracks] == [
        (0, "person-1"),
        (1, "person-2"),
        (2, "person-3"),
        (3, "person-1"),
    ]


def test_time_on_screen_leaves_out_the_time_between() -> None:
    part = part_of(*(frame(n, (100, "A")) for n in range(3)), *map(frame, range(3, 8)), frame(8, (100, "A")))
    (person,) = part.people
    assert (person.first_seen_seconds, person.last_seen_seconds, person.seconds_on_screen) == (0, 9, 4)
    assert [(s.label, s.start_seconds, s.end_seconds) for s in part.segments] == [
        ("face", 0, 3),
        ("person-1", 0, 3),
        ("face", 8, 9),
        ("person-1", 8, 9),
    ]


def test_somebody_else_in_the_same_place_is_another_person_even_without_known_shots() -> None:
    part = part_of(frame(0, (100, "A")), frame(1, (100, "A")), frame(2, (100, "B")), frame(3, (100, "A")))
    assert [track.person for track in part.tracks] == ["person-1", "person-2", "person-1"]


def test_tracks_end_at_cuts_but_people_do_not() -> None:
    part = part_of(frame(0, (100, "A")), frame(1, (100, "A")), shots=[0.5])
    assert len(part.tracks) == 2
    assert len(part.people) == 1


def test_a_poor_face_is_counted_and_followed_but_belongs_to_nobody() -> None:
    part = part_of(frame(0, (100, None)), frame(1, (100, None)))
    assert (part.faces, part.recognisable_faces, part.people) == (2, 0, [])
    assert [(track.person, len(track.points)) for track in part.tracks] == [(None, 2)]
    assert [segment.label for segment in part.segments] == ["face"]


def test_a_poor_face_belongs_to_the_person_of_its_track() -> None:
    part = part_of(frame(0, (100, None)), frame(1, (100, "A")), frame(2, (100, None)))
    (person,) = part.people
    assert (person.faces, person.seconds_on_screen, person.best.seconds) == (3, 3, 1)


def test_the_best_face_has_its_place_as_shares_of_the_frame() -> None:
    (person,) = part_of(frame(0, (100, "A"))).people
    assert (person.best.box.x1, person.best.box.y2) == (0.1, 0.4)
    assert (person.best.landmarks[0].x, person.best.landmarks[0].y) == (0.16, 0.28)


def test_the_most_faces_at_once_are_told() -> None:
    part = part_of(frame(0, (100, "A")), frame(1, (100, "A"), (500, "B"), (800, None)))
    assert part.segments[0].peak_count == 3


def test_a_person_near_a_picture_of_the_gallery_has_its_name_and_others_have_none() -> None:
    known = gallery.make(DETECTOR, EMBEDDER, {"Ann": {"1.jpg": embedding("A"), "2.jpg": embedding("Z")}})
    part = part_of(frame(0, (100, "A"), (500, "B")), options=Options(gallery=known))
    ann, other = part.people
    assert ann.match is not None
    assert (ann.match.name, ann.match.picture, ann.match.distance, other.match) == ("Ann", "1.jpg", 0, None)
    assert {segment.label for segment in part.segments} == {"face", "Ann", "person-2"}


def test_somebody_on_slow_slides_is_on_the_screen_for_as_long_as_the_slides() -> None:
    slides = [frame(0, (100, "A")), frame(5, (100, "A")), frame(10), frame(15, (100, "A"))]
    models = {"detector": DETECTOR, "embedder": EMBEDDER}
    part = faces.summarize(Summary({"detector": slides}, models, 1.0, 20.0, *SIZE, {}))
    (person,) = part.people
    assert (person.last_seen_seconds, person.seconds_on_screen) == (20, 15)
    assert [(track.start_seconds, track.end_seconds) for track in part.tracks] == [(0, 10), (15, 20)]


def test_a_face_is_one_track_where_every_frame_is_asked_for() -> None:
    every = [frame(0.04 * number, (100, "A")) for number in range(6)]
    models = {"detector": DETECTOR, "embedder": EMBEDDER}
    (track,) = faces.summarize(Summary({"detector": every}, models, 0.001, 0.24, *SIZE, {})).tracks
    assert (track.start_seconds, track.end_seconds) == (0, 0.24)


def test_a_still_picture_has_people_too() -> None:
    models = {"detector": DETECTOR, "embedder": EMBEDDER}
    part = faces.summarize(Summary({"detector": [frame(0, (100, "A"))]}, models, 1.0, 0.0, *SIZE, {}))
    assert [(person.id, person.seconds_on_screen) for person in part.people] == [("person-1", 0)]


def test_a_face_that_stays_for_hours_is_followed_in_time() -> None:
    start_seconds = time.monotonic()
    part = part_of(*(frame(float(second), (100, "A")) for second in range(30_000)))
    assert time.monotonic() - start_seconds < 60
    assert [person.faces for person in part.people] == [30_000]
