"""What was decided about a media file: by a policy, and by people."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from model_zoo.document import ReportModel

Decision = Literal["allow", "review", "block"]  # from mild to severe
Item = Annotated[int | None, Field(description="number of the text among those given, from 0; null elsewhere")]
ItemId = Annotated[str | None, Field(description="what the input calls that text, where it does")]


class Reason(ReportModel):
    """One segment that a rule of the policy caught, or why the analysis itself does not allow to allow."""

    decision: Decision
    kind: Literal["segment", "error", "incomplete", "not covered"] = Field(
        default="segment",
        description="a segment; else a failed domain, media that broke off, a label nobody looked for",
    )
    rule: str = Field(description="the rule in words, as the policy writes it")
    domain: str
    label: str = Field(description="of the segment; else the type of the error, or the label nobody looked for")
    start_seconds: float
    end_seconds: float
    confidence: float = Field(
        description="the segment's peak, or what nearer rules leave of it; 1 where there is no segment"
    )
    threshold: float | None = None
    item: Item = None
    item_id: ItemId = None


class NotCovered(ReportModel):
    """A label that the policy names and that nothing looked for."""

    domain: str
    label: str
    reason: str


class Verdict(ReportModel):
    """What a policy says of a report; the severest reason decides."""

    decision: Decision
    policy: str = Field(description="name of the policy")
    policy_version: int
    policy_sha256: str
    reasons: list[Reason] = Field(default_factory=list)
    not_covered: list[NotCovered] = Field(
        default_factory=list, description="labels that the policy relies on and the analysis cannot speak for"
    )
    severity: dict[str, int] = Field(
        default_factory=dict, description="0, 2, 4 or 6 for Hate, Sexual, Violence and SelfHarm; missing: not covered"
    )


class ReviewedSegment(ReportModel):
    """What a person decided about one flagged segment."""

    domain: str
    label: str
    start_seconds: float
    end_seconds: float
    decision: Literal["accept", "reject"] = Field(description="is the finding right (accept) or wrong (reject)?")
    note: str = ""
    item: Item = None


class Review(ReportModel):
    """The decisions of one reviewer, merged into a report."""

    reviewer: str
    reviewed_at: str = Field(description="ISO 8601, UTC")
    report_sha256: str = Field(description="of the report that was reviewed")
    segments: list[ReviewedSegment]
    outcome: Decision | None = Field(
        default=None,
        description="what the policy says without the rejected segments; the verdict is kept. Null without a verdict",
    )
