"""summary.json: how a job went, input by input; also how a later run knows what is finished."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from serve.process.shards import Shard
from serve.version import VERSION

SCHEMA: Literal["reelwarden.process/1"] = "reelwarden.process/1"

Status = Literal[
    "done",  # analyzed in this run
    "kept",  # analyzed by an earlier run; the answer is still the right one
    "partial",  # there is an answer, but a domain failed
    "failed",  # there is no answer
    "left",  # not reached, or given up, because the job was stopped
]
FAILURES: tuple[Status, ...] = ("failed", "partial")
State = Literal["running", "finished", "stopped", "failed"]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Failure(_Document):
    """Why an input failed."""

    type: str
    message: str
    temporary: bool = Field(False, description="it may pass: trying again later can help")
    foreseen: bool = Field(True, exclude=True)  # else the message may quote what is in the media

    @property
    def loggable(self) -> str:
        """What a log may say of it."""
        return self.message if self.foreseen else f"{self.type}; the summary says more"


class Entry(_Document):
    """One input."""

    name: str
    status: Status
    answer: str | None = Field(None, description="its path below the output folder or prefix")
    seconds: float = Field(0.0, description="how long it took")
    media_seconds: float | None = Field(None, description="duration of the media, as its container says")
    complete: bool | None = Field(None, description="false when the media broke off or a domain failed")
    decision: str | None = Field(None, description="of the policy: allow, review or block")
    error: Failure | None = None
    input_id: str | None = Field(None, description="what the input was: its sha256, or its ETag in S3")
    answer_id: str | None = Field(None, description="what the answer was: its sha256, or its ETag in S3")
    beside: dict[str, str] = Field(default_factory=dict, description="further answers: suffix of the name -> their id")
    work_id: str | None = Field(None, description="with which settings and models: docs/process.md")

    @property
    def is_finished(self) -> bool:
        """Say whether there is a whole answer."""
        return self.answer_id is not None and self.status not in FAILURES

    def is_of(self, input_id: str, work_id: str) -> bool:
        """Say whether it is the finished work on these bytes with these settings and models."""
        return self.is_finished and (self.input_id, self.work_id) == (input_id, work_id)


class ShardFacts(_Document):
    """Which share of the inputs this is."""

    index: int
    count: int
    source: str


class Totals(_Document):
    """What a step of a pipeline may decide by, e.g. JsonGet(json_path="counts.failed")."""

    schema_version: Literal["reelwarden.process/1"] = SCHEMA
    reelwarden_version: str = VERSION
    state: State
    exit_code: int | None = Field(None, description="null while the job runs")
    error: str | None = Field(None, description="why the whole job ended early")
    shard: ShardFacts
    counts: dict[str, int] = Field(description="inputs in all (of this share), and by status; files ignored")
    decisions: dict[str, int] = Field(description="inputs by what the policy decided")
    seconds: float
    media_seconds: float


class Summary(Totals):
    """The totals, and every input."""

    items: list[Entry]

    def is_of(self, shard: Shard) -> bool:
        """Say whether it is of this share of this split."""
        return (self.shard.index, self.shard.count) == (shard.index, shard.count)


def totals(
    entries: Iterable[Entry],
    shard: Shard,
    *,
    state: State,
    seconds: float,
    ignored: int = 0,
    exit_code: int | None = None,
    error: str | None = None,
) -> Totals:
    """Count."""
    entries = list(entries)
    statuses = Counter(entry.status for entry in entries)
    counts = {"inputs": len(entries)} | {name: statuses[name] for name in ("done", "kept", "partial", "failed", "left")}
    return Totals(
        state=state,
        exit_code=exit_code,
        error=error,
        shard=ShardFacts(index=shard.index, count=shard.count, source=shard.source),
        counts=counts | {"ignored": ignored},
        decisions=dict(sorted(Counter(entry.decision for entry in entries if entry.decision).items())),
        seconds=round(seconds, 3),
        media_seconds=round(sum(entry.media_seconds or 0.0 for entry in entries), 3),
    )
