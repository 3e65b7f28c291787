"""What the report says of moderation."""

from __future__ import annotations

from pydantic import Field

from model_zoo.moderation.taxonomy import VERSION
from model_zoo.report import DomainPart, Evidence, Grade, SampledSegment, Segment, TrackPoint


class ModerationSegment(SampledSegment):
    """A stretch of time with a label of the taxonomy."""

    parent: str | None = Field(description="the label one level up; it has a segment of its own")
    level: int = Field(ge=1, le=3)
    grade: Grade = Field(description="the best of the evidence")
    threshold: float | None = Field(description="score that opened it; null where another domain decided")
    evidence: list[Evidence]
    regions: list[TrackPoint] = Field(default_factory=list, description="where it was, for labels that rest on boxes")


class ContentTypeSegment(Segment):
    """A stretch of time that looks drawn or animated; says nothing about harm."""

    grade: Grade


class ModerationPart(DomainPart):
    """Segments per label; a label also shows on every level above it."""

    taxonomy_version: str = Field(default=VERSION, description="of the Rekognition Content Moderation label names")
    segments: list[ModerationSegment] = Field(default_factory=list)  # type: ignore[assignment]
    content_types: list[ContentTypeSegment] = Field(default_factory=list)
