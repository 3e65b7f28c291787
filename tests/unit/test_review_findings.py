"""What is hidden, asked about and laid out of flagged stretches that overlap, and how long that takes when many do."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from model_zoo.moderation.schema import ModerationPart, ModerationSegment
from model_zoo.report import DomainPart, Report, Segment
from model_zoo.toxicity.schema import ToxicityPart, ToxicitySegment
from model_zoo.verdict import Reason
from serve.review.findings import findings, veiled
from tests.conftest import MEDIA
from tests.review_reports import demo_report, span
from tests.unit.report_fixtures import finding


@pytest.fixture(scope="module")
def report() -> Report:
    return demo_report(MEDIA / "demo.mp4")


def explicit(report: Report, *segments: ModerationSegment, of_verdict: Sequence[Reason] = ()) -> Report:
    assert report.verdict
    verdict = report.verdict.model_copy(update={"reasons": list(of_verdict)})
    return report.model_copy(
        update={"domains": {"moderation": ModerationPart(segments=list(segments))}, "verdict": verdict}
    )


def test_a_flagged_picture_is_hidden_also_where_no_label_below_says_more(report: Report) -> None:
    above, below = finding("Explicit", 0, 60), finding("Explicit Nudity", 10, 12)
    above = above.model_copy(update={"frames": 60})
    changed = explicit(report, above, below)
    assert veiled(changed) == [(0.0, 61.0)]
    assert [found.label for found in findings(changed)] == ["Explicit", "Explicit Nudity"]


def test_a_label_above_is_asked_about_unless_those_below_tell_all_of_it(report: Report) -> None:
    above = finding("Violence", 0, 10)
    whole = [finding("Weapons", 0, 6), finding("Graphic Violence", 5, 10)]
    assert [found.label for found in findings(explicit(report, above, *whole))] == ["Weapons", "Graphic Violence"]
    hints = [each.model_copy(update={"status": "hint"}) for each in whole]
    assert "Violence" in {found.label for found in findings(explicit(report, above, *hints))}
    weak = above.model_copy(update={"status": "hint"})
    assert [found.label for found in findings(explicit(report, weak, *hints))] == ["Weapons", "Graphic Violence"]


def test_what_the_verdict_rests_on_is_hidden_in_any_domain(report: Report) -> None:
    knife = Segment(**span("knife", 3.0, 4.0))
    reason = Reason(
        decision="review", rule="knives", domain="objects", label="knife", start_seconds=3.0, end_seconds=4.0,
        confidence=0.9,
    )  # fmt: skip
    parts = {"objects": DomainPart(segments=[knife])}
    changed = explicit(report, of_verdict=[reason]).model_copy(update={"domains": parts})
    assert veiled(changed) == [(2.0, 5.0)]


def test_of_writing_that_is_toxic_as_a_whole_all_is_hidden_and_asked_about(report: Report) -> None:
    shown = [
        ToxicitySegment(**span("toxicity", 0.0, 60.0) | {"frames": 60}, origin="screen"),
        ToxicitySegment(**span("insult", 10.0, 12.0), origin="screen"),
    ]
    changed = report.model_copy(update={"domains": {"toxicity": ToxicityPart(segments=shown)}, "verdict": None})
    assert veiled(changed) == [(0.0, 61.0)]
    assert [found.label for found in findings(changed)] == ["toxicity", "insult"]
