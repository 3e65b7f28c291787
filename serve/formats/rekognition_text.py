"""Rekognition GetTextDetection: lines of text in every analyzed frame."""

from __future__ import annotations

from collections import defaultdict

from model_zoo.report import BoxFacts, Report, TrackPoint
from model_zoo.text.schema import TextPart
from serve.formats.form import Form, as_json
from serve.formats.rekognition_shape import Json, bounding_box, job, millis, percent, version, video_metadata

DOMAIN = "text"


def text_detection(report: Report) -> str:
    """Return one item for every line and analyzed frame that shows it; words are not told apart."""
    part = report.domains[DOMAIN]
    seen: dict[int, list[tuple[str, TrackPoint]]] = defaultdict(list)
    for segment in part.segments if isinstance(part, TextPart) else []:
        for point in segment.points:
            seen[millis(point.seconds)].append((segment.label, point))
    items = [
        {"Timestamp": timestamp, "TextDetection": _line(number, text, point)}
        for timestamp, lines in sorted(seen.items())
        for number, (text, point) in enumerate(lines)
    ]
    document = {"VideoMetadata": video_metadata(report), "TextDetections": items}
    return as_json(job(report) | document | {"TextModelVersion": version(report, (DOMAIN,))})


def _line(number: int, text: str, point: TrackPoint) -> Json:
    return {
        "DetectedText": text,
        "Type": "LINE",
        "Id": number,
        "Confidence": percent(point.confidence),
        "Geometry": {"BoundingBox": bounding_box(point.box), "Polygon": _corners(point.box)},
    }


def _corners(box: BoxFacts) -> list[Json]:
    """Return the corners of a box, from top left clockwise."""
    corners = ((box.x1, box.y1), (box.x2, box.y1), (box.x2, box.y2), (box.x1, box.y2))
    return [{"X": x, "Y": y} for x, y in corners]


TEXT_DETECTION = Form(
    "rekognition-text-detection",
    "Rekognition GetTextDetection",
    ("application/json",),
    "rekognition-text-detection.json",
    text_detection,
    profile="rekognition-text-detection",
    needs=(DOMAIN,),
)
