"""Real weights on real media give the findings that a person has looked at (`make golden` writes them)."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from model_zoo.metrics.words import word_edits
from serve.pipeline import Analyzer
from serve.settings import load_settings
from tests.golden.cases import CASES, GoldenCase, golden

MOST_WORDS_CHANGED = 0.1
SURE = 0.8  # confidence from which on what was said is found whatever the processor
CONFIDENCE_TOLERANCE = 0.02  # processors differ in the last bits, and a peak may move to a neighbouring frame

pytestmark = pytest.mark.weights


@cache
def analyzer(settings: tuple[tuple[str, str], ...]) -> Analyzer:
    """Return an analyzer that is kept for the tests of the same settings."""
    return Analyzer(load_settings(**dict(settings)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_findings_are_the_golden_ones(case: GoldenCase) -> None:
    found = golden(analyzer(tuple(case.settings.items())).analyze(case.media))
    expected = json.loads(case.path.read_text("utf-8"))
    assert found["decode"] == expected["decode"]
    without = lambda result: [{k: v for k, v in s.items() if k != "peak_confidence"} for s in result["segments"]]  # noqa: E731
    assert without(found) == without(expected)
    for segment, wanted in zip(found["segments"], expected["segments"], strict=True):
        assert segment["peak_confidence"] == pytest.approx(wanted["peak_confidence"], abs=CONFIDENCE_TOLERANCE)
    assert word_edits(said(found), [said(expected)]).rate <= MOST_WORDS_CHANGED
    for wanted in expected["spoken"]:
        alike = [one for one in found["spoken"] if one["label"] == wanted["label"] and overlap(one, wanted) > 0]
        assert alike or wanted["peak_confidence"] < SURE, f"not found: {wanted}"


def said(result: dict[str, Any]) -> str:
    """Return all that was said."""
    return " ".join(segment["text"] for segment in result["spoken"] if "text" in segment)


def overlap(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Return for how many seconds two segments are both there."""
    ends = min(one["end_seconds"], other["end_seconds"])
    return float(ends - max(one["start_seconds"], other["start_seconds"]))
