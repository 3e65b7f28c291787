"""Rekognition GetContentModeration, aggregated by TIMESTAMPS and by SEGMENTS."""

from __future__ import annotations

from collections.abc import Sequence

from model_zoo.moderation.schema import ContentTypeSegment, ModerationPart, ModerationSegment
from model_zoo.report import Report, Segment
from model_zoo.vocabulary import OWN_NAMESPACE
from serve.formats.form import Form, as_json
from serve.formats.rekognition_shape import (
    Json,
    findings,
    job,
    millis,
    moments,
    percent,
    request,
    stretch,
    video_metadata,
)

DOMAIN = "moderation"


def by_timestamps(report: Report) -> str:
    """Return one item for every analyzed frame that shows a label."""
    part = _part(report)
    items: list[Json] = [
        {
            "Timestamp": timestamp,
            "ModerationLabel": _label(segment, confidence),
            "ContentTypes": _content_types(part, timestamp, timestamp),
        }
        for segment in _segments(part)
        for timestamp, confidence in moments(segment)
    ]
    items.sort(key=lambda item: item["Timestamp"])  # keeps parents before children
    return _document(report, part, items, "TIMESTAMPS")


def by_segments(report: Report) -> str:
    """Return one item for every stretch of time that shows a label."""
    part = _part(report)
    items: list[Json] = [
        {
            **stretch(segment),
            "ModerationLabel": _label(segment, percent(segment.peak_confidence)),
            "ContentTypes": _content_types(part, millis(segment.start_seconds), millis(segment.end_seconds)),
        }
        for segment in _segments(part)
    ]
    return _document(report, part, items, "SEGMENTS")


def _part(report: Report) -> ModerationPart:
    part = report.domains[DOMAIN]
    return part if isinstance(part, ModerationPart) else ModerationPart.model_validate(part.model_dump())


def _segments(part: ModerationPart) -> list[ModerationSegment]:
    """Return the findings of the taxonomy; labels of our own are not Rekognition's."""
    return [
        segment
        for segment in findings(part)
        if isinstance(segment, ModerationSegment) and not segment.label.startswith(OWN_NAMESPACE)
    ]


def _label(segment: ModerationSegment, confidence: float) -> Json:
    return {
        "Confidence": confidence,
        "Name": segment.label,
        "ParentName": segment.parent or "",
        "TaxonomyLevel": segment.level,
    }


def _content_types(part: ModerationPart, start: int, end: int) -> list[Json]:
    """Return what kind of picture it was at some moment between two times in milliseconds."""
    best: dict[str, Segment] = {}
    kinds: Sequence[ContentTypeSegment] = part.content_types
    for kind in kinds:
        together = millis(kind.start_seconds) <= end and start < millis(kind.end_seconds)
        if together and (kind.label not in best or best[kind.label].peak_confidence < kind.peak_confidence):
            best[kind.label] = kind
    return [{"Confidence": percent(kind.peak_confidence), "Name": name} for name, kind in sorted(best.items())]


def _document(report: Report, part: ModerationPart, items: list[Json], aggregate_by: str) -> str:
    return as_json(
        job(report)
        | {
            "VideoMetadata": video_metadata(report),
            "ModerationLabels": items,
            "ModerationModelVersion": part.taxonomy_version,
            "GetRequestMetadata": request(aggregate_by),
        }
    )


MODERATION = Form(
    "rekognition-content-moderation",
    "Rekognition GetContentModeration by TIMESTAMPS",
    ("application/json",),
    "rekognition-content-moderation.json",
    by_timestamps,
    profile="rekognition-content-moderation",
    needs=(DOMAIN,),
)
MODERATION_SEGMENTS = Form(
    "rekognition-content-moderation-segments",
    "Rekognition GetContentModeration by SEGMENTS",
    ("application/json",),
    "rekognition-content-moderation-segments.json",
    by_segments,
    profile="rekognition-content-moderation-segments",
    needs=(DOMAIN,),
)
