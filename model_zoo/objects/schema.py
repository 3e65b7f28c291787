"""What the report says of objects."""

from __future__ import annotations

from pydantic import Field

from model_zoo.report import DomainPart, Segment, TrackPoint


class ObjectSegment(Segment):
    """A stretch of time in which at least one object of a class was in the picture."""

    peak_count: int = Field(description="most objects of the class found in one frame")


class ObjectTrack(Segment):
    """One object followed from frame to frame; never across a cut."""

    track: int = Field(description="number within this report, from 0, in order of the start")
    points: list[TrackPoint] = Field(description="where it was, in every analyzed frame that shows it")


class ObjectsPart(DomainPart):
    """Segments are per class, tracks per object."""

    segments: list[ObjectSegment] = Field(default_factory=list)  # type: ignore[assignment]
    tracks: list[ObjectTrack] = Field(default_factory=list)
