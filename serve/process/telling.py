"""Say how a job went where schedulers look: the last line of standard output, a file, SageMaker's message."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from serve.process.settings import JobSettings
from serve.process.summary import Entry, Totals
from serve.shown import shown

MOST_MESSAGE_BYTES = 1024  # of what SageMaker shows as ExitMessage
_SAGEMAKER = Path("/opt/ml")

log = logging.getLogger(__name__)


def last_line(job: JobSettings, sums: Totals, failures: Sequence[Entry]) -> str:
    """Write the files that say how the job went, and return the line that says it on standard output."""
    line = sums.model_dump_json()
    if job.summary:
        _written(job.summary, line + "\n")
    if sums.exit_code and (_SAGEMAKER.is_dir() or not job.message.is_relative_to(_SAGEMAKER)):
        _written(job.message, message(sums, failures))
    return line


def message(sums: Totals, failures: Sequence[Entry]) -> str:
    """Return why the job failed, in at most 1 KB of UTF-8."""
    parts = [sums.error] if sums.error else []
    if failures:
        parts.append(f"{len(failures)} of {sums.counts['inputs']} inputs failed")
        parts += [f"{entry.name}: {entry.error.loggable}" for entry in failures if entry.error]
    text = shown("; ".join(parts))
    return text.encode("utf-8", "replace")[:MOST_MESSAGE_BYTES].decode("utf-8", "ignore")


def _written(path: Path, text: str) -> None:
    """Write a file; where that cannot be done the exit code still says how the job went."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")  # in place: the termination log of Kubernetes cannot be replaced
    except OSError as error:
        log.warning("cannot say how the job went", extra={"fields": {"path": str(path), "reason": error.strerror}})
