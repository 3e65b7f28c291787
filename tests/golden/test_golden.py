"""Real weights on real media give the findings that a person has looked at (`make golden` writes them)."""

from __future__ import annotations

import json
from functools import cache

import pytest

from serve.pipeline import Analyzer
from serve.settings import load_settings
from tests.golden.cases import CASES, GoldenCase, golden

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
