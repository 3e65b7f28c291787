"""The settings that every part of a report shares."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ReportModel(BaseModel):
    """Settings shared by every part of the report: unknown fields of a newer minor version are kept, not refused.

    Errors do not quote the value that is wrong, since it may be what was said or shown.
    """

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)
