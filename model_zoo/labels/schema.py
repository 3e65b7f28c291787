"""What the report says of labels."""

from __future__ import annotations

from pydantic import Field

from model_zoo.report import DomainPart, SampledSegment


class LabelsPart(DomainPart):
    """Segments are per label; the frame as a whole is labelled, nothing in it is located."""

    segments: list[SampledSegment] = Field(default_factory=list)  # type: ignore[assignment]
