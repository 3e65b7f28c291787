"""What the report says of sounds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from model_zoo.report import DomainPart, Segment


class SoundSegment(Segment):
    """A stretch of time with a sound, or without any."""

    basis: Literal["recognised", "measured"] = Field(description="by the network, or from the level alone")


class SoundsPart(DomainPart):
    """Segments are per sound, silence among them. Levels are of all channels mixed to one; null without sound."""

    segments: list[SoundSegment] = Field(default_factory=list)  # type: ignore[assignment]
    loudness_lufs: float | None = Field(
        default=None, description="integrated loudness after ITU-R BS.1770-4; null also where nothing is above its gate"
    )
    level_dbfs: float | None = Field(default=None, description="root mean square of the whole sound; -120 is the least")
    clipped_share: float | None = Field(default=None, description="share of samples at full scale")
