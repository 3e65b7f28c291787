"""Moderation: scores, boxes and things seen elsewhere become findings and hints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from model_zoo import moderation
from model_zoo.catalog import catalog, choose, named
from model_zoo.domain import Loaded, Start, Summary
from model_zoo.manifest import ModelSpec
from model_zoo.moderation.schema import ModerationPart, ModerationSegment
from model_zoo.moderation.taxonomy import ALL_LABELS, CONTENT_TYPES
from model_zoo.report import Coverage, DomainPart, Segment
from model_zoo.values import Box, Frames, Prediction, Tensors

SPECS = catalog()
NUDENET = named(["nudenet_320n"], SPECS)[0]
MODELS = {role: choose("moderation", role, None, SPECS) for role in ("nsfw_score", "nsfw_classes")}
SIZE = (640, 320)


def scores(*values: Mapping[str, float]) -> list[Prediction]:
    return [Prediction(float(second), dict(found)) for second, found in enumerate(values)]


def nsfw(*values: float) -> list[Prediction]:
    return scores(*({"sfw": 1 - value, "nsfw": value} for value in values))


def classes(*values: Mapping[str, float]) -> list[Prediction]:
    none = dict.fromkeys(("Drawing", "Hentai", "Neutral", "Porn", "Sexy"), 0.0)
    return scores(*({**none, **found} for found in values))


def summary_of(
    predictions: Mapping[str, Sequence[Prediction]],
    parts: Mapping[str, DomainPart] | None = None,
    seconds: float = 10.0,
) -> Summary:
    models = MODELS | ({"body_parts": NUDENET} if "body_parts" in predictions else {})
    return Summary(predictions, models, 1.0, seconds, *SIZE, parts or {})


def part_of(predictions: Mapping[str, Sequence[Prediction]], **given: Any) -> ModerationPart:
    return moderation.summarize(summary_of(predictions, **given))


def named_segments(part: ModerationPart) -> dict[str, ModerationSegment]:
    """Return the segments by label, for parts that have one of each."""
    assert len({segment.label for segment in part.segments}) == len(part.segments)
    return {segment.label: segment for segment in part.segments}


def seen(label: str, start: float, end: float, confidence: float = 0.6) -> Segment:
    return Segment(
        label=label,
        start_seconds=start,
        end_seconds=end,
        peak_seconds=start,
        peak_confidence=confidence,
        mean_confidence=confidence,
        frames=int(end - start),
    )


def test_explicit_is_found_where_both_classifiers_agree() -> None:
    part = part_of(
        {"nsfw_score": nsfw(0, 0.9, 0.9, 0), "nsfw_classes": classes({}, {"Porn": 0.8}, {"Hentai": 0.8}, {})}
    )
    (segment,) = part.segments
    assert (segment.label, segment.status, segment.level, segment.parent) == ("Explicit", "finding", 1, None)
    assert (segment.start_seconds, segment.end_seconds, segment.frames) == (1, 3, 2)
    assert segment.peak_confidence == pytest.approx(0.9 ** (2 / 3) * 0.8 ** (1 / 3), abs=1e-4)
    assert [(item.source, item.label, item.confidence) for item in segment.evidence] == [
        ("moderation/opennsfw", "nsfw", 0.9),
        (f"moderation/{MODELS['nsfw_classes'].name}", "Porn + Hentai", 0.8),
    ]


def test_one_classifier_alone_does_not_make_explicit() -> None:
    assert part_of({"nsfw_score": nsfw(0.1), "nsfw_classes": classes({"Porn": 0.95})}).segments == []
    assert part_of({"nsfw_score": nsfw(0.95), "nsfw_classes": classes({"Porn": 0.01})}).segments == []


def test_sexy_is_a_hint_on_two_labels_and_no_finding() -> None:
    found = named_segments(part_of({"nsfw_classes": classes({"Sexy": 0.9})}))
    assert set(found) == {"Swimwear or Underwear", "Non-Explicit Nudity of Intimate parts and Kissing"}
    assert {(segment.status, segment.grade) for segment in found.values()} == {("hint", "weak evidence")}


def test_a_body_part_counts_on_every_level_above_with_its_confidence() -> None:
    box = Box("FEMALE_GENITALIA_EXPOSED", 0.7, 64, 32, 128, 64)
    found = named_segments(part_of({"body_parts": [Prediction(0.0, boxes=(box,))]}))
    assert list(found) == ["Explicit", "Explicit Nudity", "Exposed Female Genitalia"]
    assert {segment.peak_confidence for segment in found.values()} == {0.7}
    assert {segment.grade for segment in found.values()} == {"trained detector"}
    assert [segment.parent for segment in found.values()] == [None, "Explicit", "Explicit Nudity"]
    (region,) = found["Exposed Female Genitalia"].regions
    assert region.box.model_dump() == {"x1": 0.1, "y1": 0.1, "x2": 0.2, "y2": 0.2}
    assert found["Explicit"].regions == []


def test_a_parent_has_the_highest_confidence_of_its_children() -> None:
    boxes = (Box("BUTTOCKS_EXPOSED", 0.65, 0, 0, 9, 9), Box("MALE_GENITALIA_EXPOSED", 0.8, 20, 20, 30, 30))
    found = named_segments(
        part_of({
            "nsfw_score": nsfw(0.75),
            "nsfw_classes": classes({"Porn": 0.75}),
            "body_parts": [Prediction(0.0, boxes=boxes)],
        })
    )  # fmt: skip
    assert found["Exposed Buttocks or Anus"].peak_confidence == 0.65
    assert found["Explicit Nudity"].peak_confidence == found["Explicit"].peak_confidence == 0.8
    assert len(found["Explicit"].evidence) == 4


def test_covered_parts_and_faces_mean_nothing() -> None:
    boxes = tuple(Box(label, 0.9, 0, 0, 9, 9) for label in ("FACE_FEMALE", "FEMALE_BREAST_COVERED", "FEET_EXPOSED"))
    assert part_of({"body_parts": [Prediction(0.0, boxes=boxes)]}).segments == []


def test_a_knife_is_a_hint_and_never_a_finding() -> None:
    found = named_segments(part_of({}, parts={"objects": DomainPart(segments=[seen("knife", 2, 5, 0.99)])}))
    assert list(found) == ["Violence", "Weapons"]
    assert {(s.status, s.grade, s.threshold) for s in found.values()} == {("hint", "weak evidence", None)}
    assert (found["Weapons"].start_seconds, found["Weapons"].end_seconds) == (2, 5)
    assert [(item.source, item.label) for item in found["Weapons"].evidence] == [("objects", "knife")]


def test_many_hints_are_still_a_hint() -> None:
    parts = {
        "objects": DomainPart(segments=[seen("knife", 2, 5), seen("baseball bat", 3, 6)]),
        "labels": DomainPart(segments=[seen("rifle", 1, 4, 0.9)]),
    }
    weapons = named_segments(part_of({}, parts=parts))["Weapons"]
    assert (weapons.status, weapons.start_seconds, weapons.end_seconds) == ("hint", 1, 6)
    assert {item.label for item in weapons.evidence} == {"knife", "baseball bat", "rifle"}


def test_a_rocket_is_no_weapon() -> None:
    parts = {"labels": DomainPart(segments=[seen("missile", 0, 5, 0.99), seen("projectile", 0, 5, 0.99)])}
    assert part_of({}, parts=parts).segments == []


def test_a_hint_at_the_same_time_supports_a_finding_and_does_not_stand_beside_it() -> None:
    male_chest = [Prediction(0.0, boxes=(Box("MALE_BREAST_EXPOSED", 0.8, 0, 0, 9, 9),))]
    part = part_of({"nsfw_classes": classes({"Sexy": 0.9}), "body_parts": male_chest})
    parent = named_segments(part)["Non-Explicit Nudity of Intimate parts and Kissing"]
    assert (parent.status, parent.grade, parent.peak_confidence) == ("finding", "trained detector", 0.8)
    assert [item.grade for item in parent.evidence] == ["trained detector", "weak evidence"]


def test_a_hint_that_goes_on_beyond_a_finding_is_kept_and_one_that_hardly_does_is_not() -> None:
    male_chest = [Prediction(10.0, boxes=(Box("MALE_BREAST_EXPOSED", 0.8, 0, 0, 9, 9),)), Prediction(11.0)]

    def of_parent(first: int, end: int) -> list[tuple[str, float, float]]:
        sexy = classes(*({"Sexy": 0.9 * (first <= second < end)} for second in range(60)))
        part = part_of({"nsfw_classes": sexy, "body_parts": male_chest}, seconds=60.0)
        parent = "Non-Explicit Nudity of Intimate parts and Kissing"
        return [(s.status, s.start_seconds, s.end_seconds) for s in part.segments if s.label == parent]

    assert of_parent(0, 40) == [("hint", 0, 40), ("finding", 10, 11)]
    assert of_parent(9, 12) == [("finding", 10, 11)]
    assert of_parent(10, 14) == [("finding", 10, 11), ("hint", 10, 14)]


def test_drawings_are_content_types_and_no_findings() -> None:
    part = part_of({"nsfw_classes": classes({"Drawing": 0.95}, {"Drawing": 0.95}, {})})
    assert part.segments == []
    (drawn,) = part.content_types
    assert (drawn.label, drawn.grade, drawn.start_seconds, drawn.end_seconds) == ("Illustrated", "weak evidence", 0, 2)


def covered(part: ModerationPart) -> dict[str, Coverage]:
    return {entry.label: entry for entry in part.coverage}


def test_every_label_is_listed_once_with_its_coverage() -> None:
    part = part_of({})
    assert [entry.label for entry in part.coverage] == [*ALL_LABELS, *CONTENT_TYPES]
    assert all(entry.source if entry.grade != "not covered" else entry.reason for entry in part.coverage)


def test_coverage_says_what_is_missing_and_why() -> None:
    found = covered(part_of({}))
    assert found["Explicit"].grade == "trained classifier"
    assert found["Exposed Female Nipple"].grade == "not covered"
    assert "body_parts" in (found["Exposed Female Nipple"].reason or "")
    assert "objects or labels" in (found["Weapons"].reason or "")
    assert found["Blood & Gore"].grade == "not covered"


def test_coverage_grows_with_what_runs() -> None:
    found = covered(part_of({"body_parts": []}, parts={"objects": DomainPart()}))
    assert found["Exposed Female Nipple"].grade == "trained detector"
    assert found["Explicit Nudity"].grade == "trained detector"
    assert found["Weapons"].grade == found["Violence"].grade == "weak evidence"
    assert found["Graphic Violence"].grade == "not covered"


def test_a_detector_of_ones_own_covers_only_the_labels_that_it_has() -> None:
    own = NUDENET.model_copy(update={"labels": ("FEMALE_BREAST_EXPOSED",)})
    models = MODELS | {"body_parts": own}
    found = covered(moderation.summarize(Summary({"body_parts": []}, models, 1.0, 10.0, *SIZE, {})))
    exposed = {label: entry.grade for label, entry in found.items() if label.startswith("Exposed")}
    assert exposed.pop("Exposed Female Nipple") == "trained detector"
    assert set(exposed.values()) == {"not covered"}
    assert found["Explicit Nudity"].reason == "only through Exposed Female Nipple"


class Fixed:
    """A model with the same answer for every frame."""

    def __init__(self, spec: ModelSpec, row: Any) -> None:
        self.spec, self.row = spec, np.asarray(row, np.float32)

    def run(self, tensors: Tensors) -> Tensors:
        """Answer every row alike."""
        return {self.spec.outputs[0]: np.stack([self.row] * len(tensors[self.spec.input.name]))}


def predicted(role: str, spec: ModelSpec, row: Any) -> Prediction:
    """Return what a role's watcher says of a 640 x 320 frame."""
    needed = {other: Loaded(MODELS[other], Fixed(MODELS[other], [0])) for other in MODELS}
    watchers = moderation.DOMAIN.start(Start(needed | {role: Loaded(spec, Fixed(spec, row))}, 1.0))
    (watcher,) = (watcher for watcher in watchers if watcher.role == role)
    pixels = np.zeros((1, watcher.view.height, watcher.view.width, 3), np.uint8)
    (prediction,) = watcher.predict(Frames(pixels, np.zeros(1), watcher.view, *SIZE))
    return prediction


def test_classifiers_speak_in_their_own_labels() -> None:
    first = predicted("nsfw_score", MODELS["nsfw_score"], [0.75, 0.25])
    assert first.scores == {"sfw": 0.75, "nsfw": 0.25}
    second = predicted("nsfw_classes", MODELS["nsfw_classes"], [0.5, 0, 0.25, 0.25, 0])
    assert second.scores == {"Drawing": 0.5, "Hentai": 0, "Neutral": 0.25, "Porn": 0.25, "Sexy": 0}


def anchors(*found: tuple[float, float, float, float, str, float]) -> Any:
    """Return a (22, 6) output with boxes as centre x, centre y, width, height in the 320 x 320 view."""
    row = np.zeros((22, 6), np.float32)
    for anchor, (*box, label, score) in enumerate(found):
        row[:4, anchor] = box
        row[4 + NUDENET.labels.index(label), anchor] = score
    return row


def test_body_parts_come_back_in_pixels_of_the_source() -> None:
    (box,) = predicted("body_parts", NUDENET, anchors((50, 60, 20, 40, "FACE_MALE", 0.8))).boxes
    assert box == Box("FACE_MALE", pytest.approx(0.8), 80, 80, 120, 160)


def test_overlapping_body_parts_leave_the_better_one_whatever_their_class() -> None:
    row = anchors((50, 60, 20, 40, "FACE_MALE", 0.6), (50, 60, 20, 38, "FACE_FEMALE", 0.7))
    assert [box.label for box in predicted("body_parts", NUDENET, row).boxes] == ["FACE_FEMALE"]


def test_findings_do_not_depend_on_which_model_looked_first() -> None:
    given = {"nsfw_score": nsfw(0.9, 0.9), "nsfw_classes": classes({"Porn": 0.8}, {"Porn": 0.9})}
    turned = replace(summary_of(given), predictions=dict(reversed(given.items())))
    first, second = moderation.summarize(summary_of(given)), moderation.summarize(turned)
    assert [s.peak_confidence for s in first.segments] == [s.peak_confidence for s in second.segments]
