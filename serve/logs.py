"""Logs of servers and jobs: one JSON object a line on standard error, with the request's id, never media content."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class JsonLines(logging.Formatter):
    """Write a record as one line of JSON; `extra={"fields": {...}}` adds members."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (given := request_id.get()) is not None:
            line["request_id"] = given
        fields: Mapping[str, Any] = getattr(record, "fields", {})
        line |= fields
        if record.exc_info and record.exc_info[1]:
            line["exception"] = without_texts(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


def without_texts(error: BaseException) -> str:
    """Return an error and what it came from by their kinds and places in the code.

    What an error says may quote what it could not handle, and so the media: a report or an answer tells that, no log.
    """
    parts, told = list[str](), set[int]()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in told:
        told.add(id(cause))
        frames = "".join(traceback.format_tb(cause.__traceback__))
        parts.append(f"Traceback (most recent call last):\n{frames}{type(cause).__qualname__}")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n\n".join(reversed(parts))


def log_json_lines(level: str = "INFO") -> None:
    """Send all logs of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "botocore", "urllib3"):  # their lines hold whole URLs, and so signatures
        logging.getLogger(chatty).setLevel(logging.WARNING)
