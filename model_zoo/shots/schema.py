"""What the report says of shots."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from model_zoo.document import ReportModel
from model_zoo.report import DomainPart, Segment

Opening = Literal["start", "cut", "fade"]


class Shot(Segment):
    """One unbroken take: from its first frame to the first frame of the next shot."""

    label: str = "shot"
    index: int = Field(description="from 0, in time order")
    opened_by: Opening = Field(description="what stands at its start: the media's own start, a cut or a fade")


class Transition(ReportModel):
    """A change from one shot to the next, or a stretch of black."""

    kind: Literal["cut", "fade", "black"]
    start_seconds: float
    end_seconds: float = Field(description="equal to the start for a cut, which is the first frame of the new shot")


class ShotsPart(DomainPart):
    """Shots are the segments; `transitions` says what lies between them."""

    segments: list[Shot] = Field(default_factory=list)  # type: ignore[assignment]
    transitions: list[Transition] = Field(default_factory=list)
