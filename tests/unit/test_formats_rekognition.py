"""The Rekognition forms fit the shapes that Amazon's own SDK knows, and say what the report says."""

from __future__ import annotations

import json
import re
import time
from functools import cache
from pathlib import Path
from typing import Any

import botocore.model
import botocore.session
import botocore.validate
import pytest

from model_zoo.faces.schema import FacesPart
from model_zoo.moderation.schema import ContentTypeSegment
from model_zoo.report import Report
from serve.formats import form_named, render
from serve.formats.rekognition_segments import timecode
from serve.saved import read_report
from tests.contract.test_report_schema import OLD_REPORTS
from tests.unit.report_fixtures import everything, finding, moderation, report, span, with_parents

OPERATIONS = {
    "rekognition-content-moderation": "GetContentModeration",
    "rekognition-content-moderation-segments": "GetContentModeration",
    "rekognition-label-detection": "GetLabelDetection",
    "rekognition-label-detection-segments": "GetLabelDetection",
    "rekognition-face-search": "GetFaceSearch",
    "rekognition-text-detection": "GetTextDetection",
    "rekognition-segment-detection": "GetSegmentDetection",
}
# of the caller's request, or of another page, or unknown to the report
LEFT_OUT = {"NextToken", "Video", "JobTag", "StatusMessage", "VideoMetadata.ColorRange"}
EVERY_FORM = pytest.mark.parametrize("name", OPERATIONS)


@cache
def shape_of(name: str) -> botocore.model.StructureShape:
    service = botocore.session.get_session().get_service_model("rekognition")
    shape = service.operation_model(OPERATIONS[name]).output_shape
    assert isinstance(shape, botocore.model.StructureShape)
    return shape


def document(name: str, of: Report) -> dict[str, Any]:
    return json.loads(render(form_named(name), of))


def enum_mistakes(value: Any, shape: Any, place: str = "") -> list[str]:
    """Return where a value is none of those that the model of the service lists; botocore does not look at that."""
    if shape.type_name == "structure":
        return [m for k, v in value.items() for m in enum_mistakes(v, shape.members[k], f"{place}.{k}")]
    if shape.type_name == "list":
        return [m for item in value for m in enum_mistakes(item, shape.member, place)]
    allowed = getattr(shape, "enum", None)
    return [f"{place}: {value}"] if allowed and value not in allowed else []


@EVERY_FORM
@pytest.mark.parametrize("kind", ["full", "empty", "incomplete"])
def test_an_answer_has_only_members_of_the_service_model_with_their_types(name: str, kind: str) -> None:
    full = everything()
    empty = full.model_copy(update={"domains": {domain: type(part)() for domain, part in full.domains.items()}})
    broken = full.model_copy(
        update={
            "complete": False,
            "decode": full.decode.model_copy(update={"truncated": True, "truncated_reason": "x"}),
        }
    )
    answer = document(name, {"full": full, "empty": empty, "incomplete": broken}[kind])
    found = botocore.validate.ParamValidator().validate(answer, shape_of(name))
    assert not found.has_errors(), found.generate_report()
    assert enum_mistakes(answer, shape_of(name)) == []
    assert ("StatusMessage" in answer) == (kind == "incomplete")


@EVERY_FORM
def test_every_member_of_the_answer_is_there_but_for_those_of_the_request(name: str) -> None:
    answer = document(name, everything())
    assert set(shape_of(name).members) - set(answer) <= LEFT_OUT
    video = answer["VideoMetadata"]
    (video,) = video if isinstance(video, list) else [video]
    assert video == {
        "Codec": "h264",
        "DurationMillis": 10_000,
        "Format": "mov,mp4",
        "FrameRate": 25.0,
        "FrameHeight": 1080,
        "FrameWidth": 1920,
    }


@pytest.mark.parametrize("path", OLD_REPORTS, ids=lambda path: path.stem)
def test_old_reports_can_be_had_in_these_forms_too(path: Path) -> None:
    old = read_report(path)
    forms = [name for name in OPERATIONS if set(form_named(name).needs) & set(old.domains)]
    assert forms
    for name in forms:
        found = botocore.validate.ParamValidator().validate(document(name, old), shape_of(name))
        assert not found.has_errors(), found.generate_report()


def test_moderation_by_timestamps_has_the_time_and_confidence_of_every_frame() -> None:
    seen = {"frames": 3, "frame_seconds": [2.002, 2.503, 4.004], "frame_confidences": [0.7, 0.9, 0.65]}
    answer = document(
        "rekognition-content-moderation",
        report(moderation=moderation(finding("Gambling", 2.0, 5.0, 0.9).model_copy(update=seen))),
    )
    assert [(item["Timestamp"], item["ModerationLabel"]["Confidence"]) for item in answer["ModerationLabels"]] == [
        (2002, 70.0),
        (2503, 90.0),
        (4004, 65.0),
    ]


def test_hours_of_flagged_cartoons_are_written_in_time() -> None:
    drawn = [
        ContentTypeSegment(label="Animated", grade="weak evidence", **span(second, second + 0.5, 0.9))
        for second in map(float, range(15_000))
    ]
    times = [float(second) for second in range(15_000)]
    seen = {"frames": len(times), "frame_seconds": times, "frame_confidences": [0.9] * len(times)}
    flagged = moderation(finding("Gambling", 0.0, 15_000.0, 0.9).model_copy(update=seen))
    of = report(moderation=flagged.model_copy(update={"content_types": drawn}))
    start_seconds = time.monotonic()
    items = document("rekognition-content-moderation", of)["ModerationLabels"]
    assert time.monotonic() - start_seconds < 20  # every frame against every stretch takes minutes
    assert len(items) == 15_000
    assert all(item["ContentTypes"] == [{"Confidence": 90.0, "Name": "Animated"}] for item in items)


def test_the_kinds_of_picture_of_a_stretch_are_those_at_its_time_each_with_its_best() -> None:
    kinds = [("Animated", 0.0, 2.0, 0.9), ("Animated", 4.0, 6.0, 0.95), ("Illustrated", 5.0, 9.0, 0.92)]
    drawn = [ContentTypeSegment(label=label, grade="weak evidence", **span(*times)) for label, *times in kinds]
    found = moderation(finding("Gambling", 1.0, 5.0, 0.9), finding("Gambling", 2.0, 3.0, 0.9))
    of = report(moderation=found.model_copy(update={"content_types": drawn}))
    items = document("rekognition-content-moderation-segments", of)["ModerationLabels"]
    animated, illustrated = {"Confidence": 95.0, "Name": "Animated"}, {"Confidence": 92.0, "Name": "Illustrated"}
    assert [item["ContentTypes"] for item in items] == [[animated, illustrated], []]


def test_where_an_older_report_does_not_know_the_frames_they_are_spread_evenly() -> None:
    segment = finding("Gambling", 2.0, 5.0, 0.9).model_copy(
        update={"frames": 3, "peak_seconds": 3.25, "mean_confidence": 0.75}
    )
    answer = document("rekognition-content-moderation", report(moderation=moderation(segment)))
    assert answer["GetRequestMetadata"] == {"SortBy": "TIMESTAMP", "AggregateBy": "TIMESTAMPS"}
    assert [(item["Timestamp"], item["ModerationLabel"]["Confidence"]) for item in answer["ModerationLabels"]] == [
        (2000, 75.0),
        (3250, 90.0),
        (4000, 75.0),
    ]


def test_moderation_labels_carry_parent_level_and_kind_of_picture() -> None:
    answer = document("rekognition-content-moderation-segments", everything())
    labels = [item["ModerationLabel"] for item in answer["ModerationLabels"]]
    assert [(label["Name"], label["ParentName"], label["TaxonomyLevel"]) for label in labels] == [
        ("Explicit", "", 1),
        ("Explicit Nudity", "Explicit", 2),
        ("Exposed Female Nipple", "Explicit Nudity", 3),
    ]
    item = answer["ModerationLabels"][0]
    assert (item["StartTimestampMillis"], item["EndTimestampMillis"], item["DurationMillis"]) == (2000, 4000, 2000)
    assert item["ContentTypes"] == [{"Confidence": 91.0, "Name": "Animated"}]
    assert answer["ModerationModelVersion"] == "7.0"


def test_a_hint_never_passes_for_a_moderation_label() -> None:
    for name in ("rekognition-content-moderation", "rekognition-content-moderation-segments"):
        found = report(moderation=moderation(finding("Weapons", 1, 2, 0.99, "hint"), *with_parents("Corpses", 1, 2)))
        names = {item["ModerationLabel"]["Name"] for item in document(name, found)["ModerationLabels"]}
        assert names == {"Visually Disturbing", "Death and Emaciation", "Corpses"}


def test_objects_are_labels_with_boxes_and_labels_of_frames_have_none() -> None:
    answer = document("rekognition-label-detection", everything())
    knife = next(item for item in answer["Labels"] if item["Label"]["Name"] == "knife")
    assert knife["Timestamp"] == 5000
    assert knife["Label"]["Instances"] == [
        {"BoundingBox": {"Left": 0.25, "Top": 0.1, "Width": 0.5, "Height": 0.5}, "Confidence": 70.0}
    ]
    beach = next(item for item in answer["Labels"] if item["Label"]["Name"] == "beach")
    assert beach["Label"]["Instances"] == []
    assert answer["LabelModelVersion"] == "some_objects"


def test_faces_say_who_of_the_gallery_they_are_and_how_alike() -> None:
    persons = document("rekognition-face-search", everything())["Persons"]
    assert [(item["Timestamp"], item["Person"]["Index"]) for item in persons] == [(2000, 0), (2000, 2), (3000, 0)]
    (match,) = persons[0]["FaceMatches"]
    assert match["Similarity"] == pytest.approx(85.0)  # distance 0.3 of 0.4
    assert match["Face"]["ExternalImageId"] == "Ada"
    assert persons[1]["FaceMatches"] == []


def external_id(name: str) -> str:
    found = everything()
    people = json.loads(found.domains["faces"].model_dump_json().replace('"Ada"', json.dumps(name)))
    whole = found.model_copy(update={"domains": {"faces": FacesPart.model_validate(people)}})
    persons = document("rekognition-face-search", whole)["Persons"]
    return str(persons[0]["FaceMatches"][0]["Face"]["ExternalImageId"])


def test_names_in_letters_that_rekognition_has_not_stay_apart() -> None:
    names = ("Żółw", "Kość", "A b", "A_b", "x" * 300, "x" * 299)
    ids = [external_id(name) for name in names]
    assert len(set(ids)) == len(names)
    assert ids[3] == "A_b"
    assert all(re.fullmatch(r"[a-zA-Z0-9_.\-:]{1,255}", found) for found in ids)


def test_text_is_lines_with_boxes() -> None:
    (item,) = document("rekognition-text-detection", everything())["TextDetections"]
    assert (item["Timestamp"], item["TextDetection"]["DetectedText"], item["TextDetection"]["Type"]) == (
        5000, "EXIT ONLY", "LINE",
    )  # fmt: skip
    assert item["TextDetection"]["Geometry"]["Polygon"][2] == {"X": 0.75, "Y": 0.6}


def test_shots_and_black_have_frames_and_timecodes() -> None:
    segments = document("rekognition-segment-detection", everything())["Segments"]
    assert [segment["Type"] for segment in segments] == ["SHOT", "SHOT", "TECHNICAL_CUE"]
    second = segments[1]
    assert (second["StartFrameNumber"], second["EndFrameNumber"], second["DurationFrames"]) == (100, 250, 150)
    assert (second["StartTimecodeSMPTE"], second["DurationSMPTE"]) == ("00:00:04:00", "00:00:06:00")
    assert second["ShotSegment"] == {"Index": 1, "Confidence": 100.0}
    assert segments[2]["TechnicalCueSegment"]["Type"] == "BlackFrames"


@pytest.mark.parametrize(
    ("frame", "rate", "written"),
    [
        (0, 25.0, "00:00:00:00"),
        (25 * 3661 + 7, 25.0, "01:01:01:07"),
        (1799, 30000 / 1001, "00:00:59;29"),
        (1800, 30000 / 1001, "00:01:00;02"),  # frames ;00 and ;01 of a minute are dropped ...
        (17981, 30000 / 1001, "00:09:59;29"),
        (17982, 30000 / 1001, "00:10:00;00"),  # ... but not of every tenth
        (107892, 30000 / 1001, "01:00:00;00"),
        (3600, 60000 / 1001, "00:01:00;04"),
        (449, 30000 / 1001, "00:00:14;29"),
        (1800, 30.0, "00:01:00:00"),
        (24 * 60, 24000 / 1001, "00:01:00:00"),  # 23.976 counts without dropping
    ],
)
def test_timecodes_are_those_of_smpte(frame: int, rate: float, written: str) -> None:
    assert timecode(frame, rate) == written
