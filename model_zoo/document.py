"""The settings that every part of a report shares."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ReportModel(BaseModel):
    """Settings shared by every part of the report: unknown fields of a newer minor version are kept, not refused."""

    model_config = ConfigDict(extra="allow", frozen=True)
