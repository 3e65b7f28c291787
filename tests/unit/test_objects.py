"""Objects: a detector's outputs become boxes, segments and tracks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from model_zoo import objects
from model_zoo.catalog import catalog, named
from model_zoo.domain import Loaded, Start, Summary
from model_zoo.errors import ManifestError
from model_zoo.objects.schema import ObjectsPart
from model_zoo.report import DomainPart
from model_zoo.shots.schema import Shot, ShotsPart
from model_zoo.values import Box, Frames, Prediction, Tensors

(SPEC,) = named(["nanodet_g_416"], catalog())
VIEW = SPEC.input.view()
ANCHORS = 12
WIDE = (832, 468)  # fits the 416 wide view at one half, with 91 rows of padding above and below


class Detector:
    """A model that sees the same things in every frame."""

    def __init__(self, *things: tuple[str, float, tuple[float, float, float, float]]) -> None:
        self.scores = np.zeros((ANCHORS, len(SPEC.labels)), np.float32)
        self.boxes = np.zeros((ANCHORS, 4), np.float32)
        for anchor, (label, score, corners) in enumerate(things):
            self.scores[anchor, SPEC.labels.index(label)] = score
            self.boxes[anchor] = corners

    def run(self, tensors: Tensors) -> Tensors:
        """Answer every row alike."""
        rows = len(tensors[SPEC.input.name])
        return {"scores": np.stack([self.scores] * rows), "boxes": np.stack([self.boxes] * rows)}


def boxes_seen(model: Detector) -> tuple[Box, ...]:
    (watcher,) = objects.DOMAIN.start(Start({"detector": Loaded(SPEC, model)}, 1.0))
    pixels = np.zeros((1, VIEW.height, VIEW.width, 3), np.uint8)
    (prediction,) = watcher.predict(Frames(pixels, np.zeros(1), VIEW, *WIDE))
    return prediction.boxes


def part_of(predictions: Sequence[Prediction], parts: dict[str, DomainPart] | None = None) -> ObjectsPart:
    end = float(len(predictions))
    summary = Summary({"detector": predictions}, {"detector": SPEC}, 1.0, end, *WIDE, parts or {})
    return objects.summarize(summary)


def frames(*boxes: tuple[Box, ...]) -> list[Prediction]:
    return [Prediction(float(second), boxes=found) for second, found in enumerate(boxes)]


def dog(x: float, confidence: float = 0.8) -> Box:
    return Box("dog", confidence, x, 100, x + 200, 300)


def test_boxes_come_back_in_pixels_of_the_source() -> None:
    (box,) = boxes_seen(Detector(("dog", 0.8, (10, 101, 110, 201))))
    assert (box.label, box.confidence) == ("dog", pytest.approx(0.8))
    assert (box.x1, box.y1, box.x2, box.y2) == (20, 20, 220, 220)


def test_boxes_do_not_reach_out_of_the_frame() -> None:
    (box,) = boxes_seen(Detector(("dog", 0.8, (-30, 50, 110, 500))))
    assert (box.x1, box.y1, box.x2, box.y2) == (0, 0, 220, 468)


def test_weak_boxes_are_left_out() -> None:
    assert boxes_seen(Detector(("dog", 0.3, (10, 101, 110, 201)))) == ()


def test_one_thing_is_one_box() -> None:
    found = boxes_seen(Detector(("dog", 0.7, (10, 101, 110, 201)), ("dog", 0.8, (12, 101, 112, 201))))
    assert [box.confidence for box in found] == [pytest.approx(0.8)]


def test_one_thing_has_the_better_of_two_names() -> None:
    found = boxes_seen(Detector(("cat", 0.6, (10, 101, 110, 201)), ("dog", 0.5, (10, 101, 111, 201))))
    assert [box.label for box in found] == ["cat"]


def test_a_thing_on_another_is_kept() -> None:
    found = boxes_seen(Detector(("person", 0.6, (10, 101, 110, 301)), ("tie", 0.5, (50, 121, 70, 201))))
    assert [box.label for box in found] == ["person", "tie"]


def test_a_class_has_segments_with_its_greatest_number() -> None:
    part = part_of(frames((dog(0),), (dog(0), dog(400)), (), (), (), (), (dog(0),)))
    assert [(s.label, s.start_seconds, s.end_seconds, s.peak_count) for s in part.segments] == [
        ("dog", 0, 2, 2),
        ("dog", 6, 7, 1),
    ]


def test_a_thing_has_a_track_with_its_places_as_shares_of_the_frame() -> None:
    (track,) = part_of(frames((dog(0, 0.6),), (dog(83.2, 0.8),))).tracks
    assert (track.track, track.label, track.start_seconds, track.end_seconds) == (0, "dog", 0, 2)
    assert (track.peak_confidence, track.peak_seconds, track.mean_confidence) == (0.8, 1, 0.7)
    assert [point.box.x1 for point in track.points] == [0, 0.1]


def test_a_thing_never_surely_seen_has_no_track_and_no_segment() -> None:
    part = part_of(frames((dog(0, 0.4),), (dog(0, 0.45),)))
    assert (part.tracks, part.segments) == ([], [])


@pytest.mark.parametrize(("apart_seconds", "interval_seconds"), [(5.0, 1.0), (0.04, 0.001)])
def test_a_thing_is_followed_however_far_the_frames_are_apart(apart_seconds: float, interval_seconds: float) -> None:
    seen = [Prediction(apart_seconds * number, boxes=(dog(number),)) for number in range(6)]
    summary = Summary({"detector": seen}, {"detector": SPEC}, interval_seconds, 6 * apart_seconds, *WIDE, {})
    part = objects.summarize(summary)
    assert [(t.start_seconds, t.end_seconds, t.frames) for t in part.tracks] == [(0, 6 * apart_seconds, 6)]
    assert [(s.start_seconds, s.end_seconds, s.frames) for s in part.segments] == [(0, 6 * apart_seconds, 6)]


def test_where_frames_were_lost_a_thing_is_not_said_to_be_there_in_between() -> None:
    seen = [Prediction(second, boxes=(dog(0),)) for second in (0.0, 1.0, 2.0, 30.0, 31.0)]
    summary = Summary({"detector": seen}, {"detector": SPEC}, 1.0, 32.0, *WIDE, {}, step_seconds=1.0)
    part = objects.summarize(summary)
    assert [(s.start_seconds, s.end_seconds) for s in part.segments] == [(0, 3), (30, 32)]
    assert [(t.start_seconds, t.end_seconds) for t in part.tracks] == [(0, 3), (30, 32)]


def test_tracks_end_at_cuts_where_the_shots_are_known() -> None:
    shots = ShotsPart(segments=[shot(0, 0.0, 0.6), shot(1, 0.6, 2.0)])
    seen = frames((dog(0),), (dog(0),))
    assert len(part_of(seen).tracks) == 1
    assert len(part_of(seen, {"shots": shots}).tracks) == 2


def shot(index: int, start_seconds: float, end_seconds: float) -> Shot:
    return Shot(
        start_seconds=start_seconds,
        end_seconds=end_seconds,
        peak_seconds=start_seconds,
        peak_confidence=1,
        mean_confidence=1,
        frames=1,
        index=index,
        opened_by="cut" if index else "start",
    )


def test_a_decoder_that_objects_does_not_have_is_refused_by_name() -> None:
    spec = SPEC.model_copy(update={"decoder": "yolo99"})
    with pytest.raises(ManifestError, match=r"yolo99.*nanodet"):
        objects.DOMAIN.start(Start({"detector": Loaded(spec, Detector())}, 1.0))
