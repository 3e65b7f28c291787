"""Rekognition GetContentModeration, aggregated by TIMESTAMPS and by SEGMENTS."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

from model_zoo.moderation.schema import ContentTypeSegment, ModerationPart, ModerationSegment
from model_zoo.report import Report
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


@dataclass(frozen=True, slots=True)
class _Kind:
    """When the picture was of one kind, so that a time is found at once."""

    segments: tuple[ContentTypeSegment, ...]  # by start
    starts: tuple[int, ...]  # milliseconds
    reached: tuple[int, ...]  # milliseconds; the latest end of all up to each

    @classmethod
    def of(cls, segments: Sequence[ContentTypeSegment]) -> Self:
        """Put the segments of one label in order."""
        ordered = tuple(sorted(segments, key=lambda segment: segment.start_seconds))
        ends = accumulate((millis(segment.end_seconds) for segment in ordered), max)
        return cls(ordered, tuple(millis(segment.start_seconds) for segment in ordered), tuple(ends))

    def best(self, start: int, end: int) -> float | None:
        """Return the highest confidence at some moment between two times in milliseconds; None if it was never so."""
        near = self.segments[bisect_right(self.reached, start) : bisect_right(self.starts, end)]
        return max((kind.peak_confidence for kind in near if start < millis(kind.end_seconds)), default=None)


def by_timestamps(report: Report) -> str:
    """Return one item for every analyzed frame that shows a label."""
    part = _part(report)
    kinds = _kinds(part)
    items: list[Json] = [
        {
            "Timestamp": timestamp,
            "ModerationLabel": _label(segment, confidence),
            "ContentTypes": _content_types(kinds, timestamp, timestamp),
        }
        for segment in _segments(part)
        for timestamp, confidence in moments(segment)
    ]
    items.sort(key=lambda item: item["Timestamp"])  # keeps parents before children
    return _document(report, part, items, "TIMESTAMPS")


def by_segments(report: Report) -> str:
    """Return one item for every stretch of time that shows a label."""
    part = _part(report)
    kinds = _kinds(part)
    items: list[Json] = [
        {
            **stretch(segment),
            "ModerationLabel": _label(segment, percent(segment.peak_confidence)),
            "ContentTypes": _content_types(kinds, millis(segment.start_seconds), millis(segment.end_seconds)),
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


def _kinds(part: ModerationPart) -> dict[str, _Kind]:
    """Return what kinds of picture there were, by name."""
    names = sorted({segment.label for segment in part.content_types})
    return {name: _Kind.of([segment for segment in part.content_types if segment.label == name]) for name in names}


def _content_types(kinds: Mapping[str, _Kind], start: int, end: int) -> list[Json]:
    """Return what kind of picture it was at some moment between two times in milliseconds."""
    best = {name: kind.best(start, end) for name, kind in kinds.items()}
    return [{"Confidence": percent(peak), "Name": name} for name, peak in best.items() if peak is not None]


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
