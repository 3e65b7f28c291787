"""What is in the media reaches no log, whatever fails on it; what an operator needs does."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from model_zoo.domains import by_name
from model_zoo.errors import CorruptMediaError
from model_zoo.transcription.schema import Word
from serve.attempt import Attempt, kept
from serve.logs import JsonLines
from serve.process.worker import _failed
from serve.web.options import Named

SAID = "what Anna said to nobody else"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Return what the logs of servers and jobs say."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonLines())
    logging.getLogger().addHandler(handler)
    yield out
    logging.getLogger().removeHandler(handler)


def last(out: io.StringIO) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return line


def fail() -> None:
    try:
        {}[SAID]
    except KeyError as error:
        raise ValueError(f"cannot rate {SAID!r}") from error


def test_a_domain_that_fails_tells_its_text_to_the_report_and_its_place_to_the_log(lines: io.StringIO) -> None:
    attempt = Attempt(by_name("toxicity"), {})
    with kept(attempt):
        fail()
    assert attempt.error
    assert SAID in attempt.error.message
    assert SAID not in lines.getvalue()
    told = last(lines)
    assert told["message"] == "domain toxicity failed"
    assert "test_logs.py" in told["exception"]
    assert told["exception"].index("KeyError") < told["exception"].index("ValueError")


def test_an_error_that_comes_round_to_itself_is_told_once(lines: io.StringIO) -> None:
    error = ValueError(SAID)
    error.__cause__ = error
    logging.getLogger("a").error("failed", exc_info=error)
    assert last(lines)["exception"].count("ValueError") == 1


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Word, {"text": [SAID], "start_seconds": SAID, "end_seconds": SAID, "confidence": SAID}),
        (Named, {"media": [SAID], "options": {"format": [SAID]}}),
        (Named, {"texts": [{"text": "", "id": SAID, "of": SAID}, {"text": [SAID]}]}),
        (Named, {"media": SAID, "text": SAID}),
    ],
)
def test_a_value_of_a_report_or_a_request_that_is_wrong_is_not_quoted(model: Any, values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        model.model_validate(values)
    assert SAID not in str(raised.value)


def test_a_job_says_why_an_input_failed_unless_nobody_foresaw_it() -> None:
    damaged = _failed("a.mp4", CorruptMediaError("a.mp4: the header is missing"))
    bug = _failed("b.mp4", KeyError(SAID))
    assert damaged.error
    assert damaged.error.loggable == "a.mp4: the header is missing"
    assert bug.error
    assert bug.error.loggable == "KeyError; the summary says more"
    assert SAID in bug.model_dump_json()
    assert "foreseen" not in bug.model_dump_json()
