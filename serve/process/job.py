"""Run a batch job from its settings to its exit code: read this file first.

The job lists the inputs, takes its share, and hands them to a worker process (crew.py, worker.py), some at once. What
became of each is in the ledger, which is written out as summary.json while the job runs: a job that was killed goes on
where it stopped when it is run again.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from model_zoo.errors import ReelwardenError
from serve.process.answers import wishes_of
from serve.process.crew import Crew
from serve.process.inputs import list_inputs, rules_with_input
from serve.process.ledger import Ledger, left_over, write_summary
from serve.process.messages import Broken, Ended, Event, Order, Task
from serve.process.names import NOTHING
from serve.process.outputs import Outputs, open_outputs
from serve.process.sagemaker_config import read_hosts
from serve.process.scratch import scratch_folder
from serve.process.settings import JobSettings
from serve.process.shards import ALL, Shard, find_shard
from serve.process.signals import Signals
from serve.process.summary import Entry, Summary, Totals, totals
from serve.settings import Settings

FAILED = 1
TEMPORARY = 75
SIGNALLED = 128  # plus the number of the signal, as shells count
POLL_SECONDS = 0.2
FETCH_SECONDS = 14_400.0  # for a file of 20 GB at 1.4 MB/s; nobody waits at the other end
LAST_SECONDS = 4.0  # after the grace, for a batch that is being computed to end

log = logging.getLogger(__name__)


def run_job(load: Callable[[], Settings], job: JobSettings, signals: Signals) -> tuple[Totals, list[Entry]]:
    """Do the whole job; return its totals, with the exit code, and the inputs that failed."""
    start = time.monotonic()
    shard, outputs, ledger = ALL, None, None
    try:
        shard = find_shard(job, os.environ, read_hosts(job.config_dir, job.input))
        tag = f"{shard.index}-of-{shard.count}-"
        outputs = open_outputs(job.output, tag)
        outputs.tidy()
        settings = load()
        wishes = wishes_of(job, settings)
        inputs = NOTHING if shard.given_nothing else list_inputs(job.input, job.match, wishes.suffixes)
        ledger = Ledger(inputs, shard, outputs)
        ledger.checkpoint()  # before any work, as it shows that answers can be written
        log.info("job begins", extra={"fields": {"share": f"{shard.index} of {shard.count}", "said_by": shard.source}})
        rules = rules_with_input(settings.fetch_rules(FETCH_SECONDS), job.input, job.match)
        with scratch_folder() as scratch:
            sums = _Job(job, ledger, Crew(Task(settings, job, rules, tag, scratch)), signals).run()
        ledger.write(sums)
    except ReelwardenError as error:
        if ledger is None:
            return _ended_early(error, shard, outputs, time.monotonic() - start), []
        sums = ledger.totals("failed", error.exit_code, str(error))
        with suppress(ReelwardenError):
            ledger.write(sums)
    return sums, ledger.failures


def _ended_early(error: ReelwardenError, shard: Shard, outputs: Outputs | None, seconds: float) -> Totals:
    """Return the totals of a job that reached nothing, and write them over the summary of an earlier run.

    What that finished stays known; where it cannot be read, or written over, it stays as it is.
    """
    sums = totals([], shard, state="failed", seconds=seconds, exit_code=error.exit_code, error=str(error))
    if outputs is None:
        return sums
    with suppress(ReelwardenError):
        left = left_over(shard, outputs)
        sums = totals(left, shard, state="failed", seconds=seconds, exit_code=error.exit_code, error=str(error))
        write_summary(Summary(**sums.model_dump(), items=left), shard, outputs)
    return sums


class _Job:
    def __init__(self, job: JobSettings, ledger: Ledger, crew: Crew, signals: Signals) -> None:
        self._job, self._ledger, self._crew, self._signals = job, ledger, crew, signals
        self._waiting = deque(ledger.items)
        self._signals_heard = 0
        self._end_seconds: float | None = None  # of the monotonic clock: when what is under way is given up
        self._gave_up = False
        self._too_many = False
        self._broken: Broken | None = None

    def run(self) -> Totals:
        """Work until nothing is left or the job must stop."""
        try:
            while self._goes_on():
                for event in self._crew.events(POLL_SECONDS):
                    self._hear(event)
                self._ledger.checkpoint()
        finally:
            self._crew.close()
        return self._sums()

    def _goes_on(self) -> bool:
        """Hand over what there is room for; say whether there is anything to wait for."""
        self._heed_signals()
        stopping = self._end_seconds is not None or self._too_many
        while self._waiting and not stopping and self._crew.wants():
            item = self._waiting.popleft()
            self._crew.give(Order(item, self._ledger.earlier(item)))
        if self._broken or (self._gave_up and self._is_over()):
            return False
        return self._crew.busy or bool(self._waiting and not stopping)

    def _heed_signals(self) -> None:
        """Stop gracefully at the first signal; give up what is under way at the second, or after the grace."""
        if self._signals.count > self._signals_heard:
            self._signals_heard = self._signals.count
            first = self._end_seconds is None
            self._end_seconds = time.monotonic() + (self._job.grace_seconds if first else 0.0)
            self._crew.halt(at_once=False)
            log.warning("stopping: what is under way may end", extra={"fields": {"signal": self._signals.first}})
        if self._is_over() and not self._gave_up:
            self._gave_up = True
            self._end_seconds = time.monotonic() + LAST_SECONDS
            self._crew.halt(at_once=True)

    def _is_over(self) -> bool:
        return self._end_seconds is not None and time.monotonic() >= self._end_seconds

    def _hear(self, event: Event) -> None:
        if isinstance(event, Broken):
            self._broken = event
        elif isinstance(event, Ended):
            entry = event.entry
            self._ledger.add(entry)
            fields = {"name": entry.name, "status": entry.status, "seconds": entry.seconds} | self._ledger.progress()
            if entry.error:
                fields |= {"error": entry.error.type, "reason": entry.error.loggable}
            log.log(logging.WARNING if entry.error else logging.INFO, "input over", extra={"fields": fields})
            most = self._job.max_failures
            if most is not None and len(self._ledger.failures) > most and not self._too_many:
                self._too_many = True
                self._crew.halt(at_once=False)

    def _sums(self) -> Totals:
        ledger = self._ledger
        if self._broken:
            return ledger.totals("failed", self._broken.exit_code, self._broken.message)
        if self._end_seconds is not None and any(entry.status == "left" for entry in ledger.entries):
            code = SIGNALLED + self._signals.first
            return ledger.totals("stopped", code, "stopped by a signal; run it again to go on")
        if self._too_many:
            error = f"more than {self._job.max_failures} inputs failed"
            return ledger.totals("failed", self._code_of_failures(), error)
        return ledger.totals("finished", 0 if self._is_enough() else self._code_of_failures())

    def _is_enough(self) -> bool:
        """Say whether as much was done as the job was asked for."""
        failures = self._ledger.failures
        if self._job.allow_partial and any(entry.status in ("done", "kept") for entry in self._ledger.entries):
            return True
        return len(failures) <= (self._job.max_failures or 0)

    def _code_of_failures(self) -> int:
        failures = self._ledger.failures
        return TEMPORARY if all(entry.error and entry.error.temporary for entry in failures) else FAILED
