"""An analysis that must end early says what it saw; one caller may ask for less than another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_zoo.errors import UsageError
from model_zoo.toxicity.schema import ToxicityPart
from serve.asked import Asked
from serve.pipeline import Analyzer
from serve.settings import load_settings
from tests.conftest import MEDIA

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def analyzer() -> Iterator[Analyzer]:
    with Analyzer(load_settings(domains="labels,shots,sounds")) as analyzer:
        yield analyzer


def test_an_analysis_that_is_stopped_reports_what_it_saw_and_why_it_ended(analyzer: Analyzer) -> None:
    asked_times = iter([None] * 4)
    stop = lambda: next(asked_times, "the deadline of 60 s is over")  # noqa: E731
    report = analyzer.analyze(MEDIA / "demo.mp4", stop=stop)
    assert not report.complete
    assert [error.type for error in report.errors] == ["Stopped"]
    assert "the deadline of 60 s is over" in report.errors[0].message
    assert 0 < report.decode.analyzed_seconds < 15
    ends = [segment.end_seconds for part in report.domains.values() for segment in part.segments]
    assert ends
    assert max(ends) <= report.decode.analyzed_seconds + 1e-6


def test_what_was_not_reached_is_not_said_to_be_absent(analyzer: Analyzer) -> None:
    report = analyzer.analyze(MEDIA / "demo.mp4", stop=lambda: "the client has left")
    assert report.decode.analyzed_seconds == 0
    assert report.sound is not None
    assert report.sound.heard_seconds == 0
    reasons = {entry.reason for part in report.domains.values() for entry in part.coverage}
    assert reasons == {"the analysis ended before it"}


def test_a_caller_may_ask_for_fewer_domains_and_another_interval(analyzer: Analyzer) -> None:
    report = analyzer.analyze(MEDIA / "demo.mp4", asked=Asked(domains=("labels",), interval_seconds=5.0))
    assert list(report.domains) == ["labels"]
    assert report.decode.interval_seconds == 5.0


def test_a_domain_that_is_not_loaded_is_refused_by_name(analyzer: Analyzer) -> None:
    with pytest.raises(UsageError, match="domains='faces': choose some of labels, shots, sounds"):
        analyzer.analyze(MEDIA / "demo.mp4", asked=Asked(domains=("faces",)))


def test_texts_that_are_left_at_the_deadline_are_named_and_those_that_were_rated_are_kept(tmp_path: Path) -> None:
    comments = tmp_path / "comments.json"
    comments.write_text(json.dumps(["you idiot"] * 500))
    asked_times = iter([None])
    with Analyzer(load_settings(domains="toxicity")) as reader:
        report = reader.analyze(comments, stop=lambda: next(asked_times, "the deadline of 60 s is close"))
    assert not report.complete
    (error,) = report.errors
    assert (error.type, error.domain) == ("Stopped", None)
    assert error.message == "texts rated up to number 256 of 500 only: the deadline of 60 s is close"
    part = report.domains["toxicity"]
    assert isinstance(part, ToxicityPart)
    assert [text.item for text in part.texts] == list(range(256))
    assert all("texts left: 244" in (entry.reason or "") for entry in part.coverage if entry.label == "insult")
    assert report.verdict
    assert report.verdict.decision != "allow"
    assert "incomplete" in {reason.kind for reason in report.verdict.reasons}
