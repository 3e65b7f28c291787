"""What a policy is: the document `reelwarden.policy/1`. It names labels, but this code knows none of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from model_zoo.verdict import Decision

SCHEMA: Literal["reelwarden.policy/1"] = "reelwarden.policy/1"

Hints = Literal["ignore", "review"]  # weak evidence never blocks
Confidence = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]
WORDS = {"allow": {}, "review": {"review": 0.0}, "block": {"block": 0.0}}


class PolicyModel(BaseModel):
    """Settings shared by every part of a policy: an unknown key is a mistake, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(PolicyModel):
    """From which peak confidence a segment is reviewed or blocked; without either it is allowed."""

    review: Confidence | None = None
    block: Confidence | None = None
    min_seconds: Seconds | None = Field(default=None, description="shorter segments of a video or a sound do not count")
    on_not_covered: Decision | None = Field(default=None, description="when nothing looked for the label")

    @model_validator(mode="after")
    def _review_comes_before_block(self) -> Self:
        if self.review is not None and self.block is not None and self.review > self.block:
            raise ValueError(f"review ({self.review:g}) must not be above block ({self.block:g})")
        return self

    @property
    def decides(self) -> bool:
        """Tell whether a segment can be caught by it."""
        return self.review is not None or self.block is not None


def _in_words(value: Any) -> Any:
    """Read a bare `allow`, `review` or `block` as the rule that it means."""
    if isinstance(value, str):
        if value not in WORDS:
            raise ValueError(f"{value!r} is no rule; write {', '.join(WORDS)} or {{review: 0.7, block: 0.9}}")
        return WORDS[value]
    return value


WrittenRule = Annotated[Rule, BeforeValidator(_in_words)]


class DomainRules(PolicyModel):
    """The rules of one domain; the nearest to a label counts: its own, its parents', its level's, then `any`."""

    labels: dict[str, WrittenRule] = Field(default_factory=dict)
    levels: dict[int, WrittenRule] = Field(default_factory=dict)
    any: WrittenRule | None = None
    min_seconds: Seconds | None = None
    hints: Hints | None = None
    on_error: Decision | None = None
    on_not_covered: Decision | None = None


class Policy(PolicyModel):
    """What is decided about a report, and from when on."""

    schema_name: Literal["reelwarden.policy/1"] = Field(alias="schema")
    name: str = Field(min_length=1)
    version: int = Field(ge=1)
    description: str = ""
    min_seconds: Seconds = 0.0
    hints: Hints = "ignore"
    on_error: Decision = "review"
    on_incomplete: Decision = "review"
    on_unseen_streams: Decision = "allow"
    on_not_covered: Decision = "allow"
    domains: dict[str, DomainRules] = Field(min_length=1)
