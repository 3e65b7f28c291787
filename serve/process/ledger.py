"""The account of a job: what became of every input, written out again and again so that a killed job can go on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

from pydantic import ValidationError

from serve.process.names import ANSWER, SUMMARY, Inputs, Item, readable
from serve.process.outputs import Outputs
from serve.process.shards import Shard
from serve.process.summary import FAILURES, Entry, Failure, State, Summary, Totals, totals

_LEAST_PAUSE_SECONDS = 0.1  # between two writings
_PAUSE_SHARE = 5  # times as long as the last one took: what a killed job has to do again stays small


class Ledger:
    """Entries by name, in the order of the inputs."""

    def __init__(self, inputs: Inputs, shard: Shard, outputs: Outputs) -> None:
        """Take the share of the inputs, and what earlier runs say of them."""
        self.items = [item for item in inputs.items if shard.has(item.name)]
        refused = [
            Entry(name=readable(item.name), status="failed", error=Failure(type="Refused", message=item.message))
            for item in inputs.refused
            if shard.has(item.name)
        ]
        self.before = _remembered(shard, outputs)
        self._entries = {readable(item.name): Entry(name=readable(item.name), status="left") for item in self.items}
        self._entries |= {entry.name: entry for entry in refused}
        self._over = len(refused)
        self._shard, self._outputs, self._ignored = shard, outputs, inputs.ignored
        self._start_seconds = time.monotonic()
        self._next_seconds = 0.0

    def earlier(self, item: Item) -> tuple[Entry, ...]:
        """Return what earlier runs say of an input: any of it may be right."""
        return self.before.get(readable(item.name), ())

    def add(self, entry: Entry) -> None:
        """Account for an input."""
        self._entries[entry.name] = entry
        self._over += entry.status != "left"

    @property
    def entries(self) -> Iterable[Entry]:
        """All inputs of this share."""
        return self._entries.values()

    @property
    def failures(self) -> list[Entry]:
        """The inputs that failed, wholly or in part."""
        return [entry for entry in self._entries.values() if entry.status in FAILURES]

    def progress(self) -> dict[str, float]:
        """Return numbers for a line of the log."""
        seconds = time.monotonic() - self._start_seconds
        return {
            "over": self._over,
            "inputs": len(self._entries),
            "inputs_per_minute": round(60 * self._over / max(seconds, 0.001), 2),
        }

    def totals(self, state: State, exit_code: int | None = None, error: str | None = None) -> Totals:
        """Count what became of the inputs."""
        return totals(
            self.entries,
            self._shard,
            state=state,
            seconds=time.monotonic() - self._start_seconds,
            ignored=self._ignored,
            exit_code=exit_code,
            error=error,
        )

    def checkpoint(self) -> None:
        """Write the summary where that has not been done for a while."""
        start = time.monotonic()
        if start < self._next_seconds:
            return
        self.write(self.totals("running"))
        took_seconds = time.monotonic() - start
        self._next_seconds = start + max(_LEAST_PAUSE_SECONDS, _PAUSE_SHARE * took_seconds)

    def write(self, sums: Totals) -> None:
        """Write the summary; raises UsageError or FetchError where that cannot be done.

        What was finished before and not reached yet stays known for the run after this one.
        """
        items = [self._kept_known(entry) for entry in self.entries]
        write_summary(Summary(**sums.model_dump(), items=items), self._shard, self._outputs)

    def _kept_known(self, entry: Entry) -> Entry:
        before = self.before.get(entry.name) if entry.status == "left" else None
        return _left(before[0]) if before else entry


def left_over(shard: Shard, outputs: Outputs) -> list[Entry]:
    """Return what earlier runs finished of a share of which this run reaches nothing; raises UsageError, FetchError."""
    return [_left(entries[0]) for name, entries in _remembered(shard, outputs).items() if shard.has(name)]


def write_summary(summary: Summary, shard: Shard, outputs: Outputs) -> None:
    """Write the summary of a share; raises UsageError or FetchError where that cannot be done."""
    outputs.write(f"{SUMMARY}{shard.suffix}{ANSWER}", summary.model_dump_json(indent=1) + "\n")


def _left(before: Entry) -> Entry:
    ids = {"answer", "input_id", "answer_id", "beside", "work_id"}
    return Entry(name=before.name, status="left", **before.model_dump(include=ids))


def _remembered(shard: Shard, outputs: Outputs) -> dict[str, tuple[Entry, ...]]:
    """Return what earlier runs finished, of whatever split.

    Entries of this very share come first, as only its summary is written over: the others stay where they are.
    """
    summaries = sorted(_summaries(outputs), key=lambda summary: not summary.is_of(shard))
    entries: dict[str, tuple[Entry, ...]] = {}
    for entry in (entry for summary in summaries for entry in summary.items if entry.is_finished):
        entries[entry.name] = (*entries.get(entry.name, ()), entry)
    return entries


def _summaries(outputs: Outputs) -> Iterator[Summary]:
    for content in outputs.summaries():
        with suppress(ValidationError):  # of another version: its work is done again
            yield Summary.model_validate_json(content)
