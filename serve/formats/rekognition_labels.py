"""Rekognition GetLabelDetection, aggregated by TIMESTAMPS and by SEGMENTS: objects with boxes, and labels of frames."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from model_zoo.objects.schema import ObjectsPart
from model_zoo.report import Report, TrackPoint
from serve.formats.form import Form, as_json
from serve.formats.rekognition_shape import (
    Json,
    bounding_box,
    findings,
    job,
    millis,
    moments,
    percent,
    request,
    stretch,
    version,
    video_metadata,
)

OBJECTS, LABELS = "objects", "labels"
NEEDS = (OBJECTS, LABELS)


def by_timestamps(report: Report) -> str:
    """Return one item for every analyzed frame and label; objects say where they are."""
    items = [*_objects(report), *_labels(report)]
    return _document(report, sorted(items, key=_order), "TIMESTAMPS")


def by_segments(report: Report) -> str:
    """Return one item for every stretch of time that shows a label, without boxes, as Rekognition does."""
    items = [
        {**stretch(segment), "Label": _label(segment.label, percent(segment.peak_confidence), [])}
        for domain in NEEDS
        if domain in report.domains
        for segment in findings(report.domains[domain])
    ]
    return _document(report, sorted(items, key=_order), "SEGMENTS")


def _objects(report: Report) -> Iterator[Json]:
    part = report.domains.get(OBJECTS)
    places: dict[tuple[int, str], list[TrackPoint]] = defaultdict(list)
    for track in part.tracks if isinstance(part, ObjectsPart) else []:
        for point in track.points:
            places[millis(point.seconds), track.label].append(point)
    for (timestamp, label), points in places.items():
        instances = [
            {"BoundingBox": bounding_box(point.box), "Confidence": percent(point.confidence)} for point in points
        ]
        best = max(point.confidence for point in points)
        yield {"Timestamp": timestamp, "Label": _label(label, percent(best), instances)}


def _labels(report: Report) -> Iterator[Json]:
    for segment in findings(report.domains[LABELS]) if LABELS in report.domains else ():
        for timestamp, confidence in moments(segment):
            yield {"Timestamp": timestamp, "Label": _label(segment.label, confidence, [])}


def _label(name: str, confidence: float, instances: list[Json]) -> Json:
    """Return a Label under the name that its model gives it; there is no tree of labels, and there are no synonyms."""
    return {
        "Name": name,
        "Confidence": confidence,
        "Instances": instances,
        "Parents": [],
        "Aliases": [],
        "Categories": [],
    }


def _order(item: Json) -> tuple[int, str]:
    return item["Timestamp"], item["Label"]["Name"]


def _document(report: Report, items: list[Json], aggregate_by: str) -> str:
    return as_json(
        job(report)
        | {
            "VideoMetadata": video_metadata(report),
            "Labels": items,
            "LabelModelVersion": version(report, NEEDS),
            "GetRequestMetadata": request(aggregate_by),
        }
    )


LABEL_DETECTION = Form(
    "rekognition-label-detection",
    "Rekognition GetLabelDetection by TIMESTAMPS",
    ("application/json",),
    "rekognition-label-detection.json",
    by_timestamps,
    profile="rekognition-label-detection",
    needs=NEEDS,
)
LABEL_DETECTION_SEGMENTS = Form(
    "rekognition-label-detection-segments",
    "Rekognition GetLabelDetection by SEGMENTS",
    ("application/json",),
    "rekognition-label-detection-segments.json",
    by_segments,
    profile="rekognition-label-detection-segments",
    needs=NEEDS,
)
