"""What the report says of on-screen text."""

from __future__ import annotations

from pydantic import Field

from model_zoo.report import DomainPart, Segment, TrackPoint


class TextSegment(Segment):
    """A stretch of time in which one line of text was to be seen; `label` is the text, in its surest reading."""

    points: list[TrackPoint] = Field(description="where it was, in every analyzed frame that shows it")


class TextPart(DomainPart):
    """Segments are lines of text."""

    segments: list[TextSegment] = Field(default_factory=list)  # type: ignore[assignment]
