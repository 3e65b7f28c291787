"""What is hidden, asked about and laid out of flagged stretches that overlap, and how long that takes when many do."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from model_zoo.moderation.schema import ModerationPart, ModerationSegment
from model_zoo.report import DomainPart, Report, Segment
from model_zoo.text.schema import TextPart, TextSegment
from model_zoo.toxicity.schema import Passage, ToxicityPart, ToxicitySegment
from model_zoo.verdict import Reason
from serve.review.findings import findings, veiled
from serve.review.lanes import MOST_ROWS_WITH_GAPS, lanes
from serve.review.words import pieces
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


def laid_out(report: Report, *segments: Segment) -> list[list[tuple[str, float]]]:
    (lane,) = lanes(report.model_copy(update={"domains": {"text": DomainPart(segments=list(segments))}}), {})
    return [[(bar.label, bar.start_seconds) for bar in row] for row in lane.rows]


def test_a_label_goes_into_the_gaps_of_another(report: Report) -> None:
    signs = [Segment(**span(label, start, end)) for label, start, end in [("a", 0, 2), ("a", 8, 9), ("b", 2, 8)]]
    assert laid_out(report, *signs) == [[("a", 0), ("b", 2), ("a", 8)]]


def test_rows_below_the_first_are_filled_one_after_the_other(report: Report) -> None:
    at_once = MOST_ROWS_WITH_GAPS + 3
    signs = [Segment(**span(f"{number}", number % at_once, 100 + 200 * (number // at_once))) for number in range(90)]
    later = [sign.model_copy(update={"start_seconds": 100.0 + number}) for number, sign in enumerate(signs[at_once:])]
    rows = laid_out(report, *signs[:at_once], *later[:at_once])
    assert [len(row) for row in rows] == [2] * at_once
    assert all(first[1] < 100 <= second[1] for first, second in rows)


@pytest.mark.parametrize("step", [1.0, 0.001])
def test_a_page_of_many_thousand_lines_and_findings_is_made_in_seconds(report: Report, step: float) -> None:
    count = 4000
    starts = [number * step for number in range(count)]
    signs = [TextSegment(**span(f"line {number}", start, start + 1), points=[]) for number, start in enumerate(starts)]
    flagged = [finding(label, start, start + 0.5) for start in starts for label in ("Violence", "Weapons")]
    toxic = [
        ToxicitySegment(**span(label, start, start + 1), origin="speech")
        for start in starts
        for label in ("insult", "toxicity")
    ]
    reasons = [
        Reason(
            decision="review", rule="text", domain="text", label=line.label, start_seconds=line.start_seconds,
            end_seconds=line.end_seconds, confidence=0.9,
        )
        for line in signs
    ]  # fmt: skip
    parts = {
        "text": TextPart(segments=signs),
        "moderation": ModerationPart(segments=flagged),
        "toxicity": ToxicityPart(segments=toxic),
    }
    changed = explicit(report, of_verdict=reasons).model_copy(update={"domains": parts})
    begun = time.perf_counter()
    found = findings(changed)
    assert len(found) == 3 * count
    assert veiled(changed) == [(0.0, pytest.approx(starts[-1] + 2.0))]
    assert lanes(changed, {finding.key: number for number, finding in enumerate(found)})
    assert time.perf_counter() - begun < 3


def test_a_text_with_many_thousand_toxic_words_is_marked_in_seconds() -> None:
    passages = [Passage(start=5 * number, end=5 * number + 4, key="insult") for number in range(20_000)]
    begun = time.perf_counter()
    cut = pieces("fool " * 20_000, [*passages, Passage(start=9, end=7, key="profanity")])
    assert sum(piece.keys == ("insult",) for piece in cut) == 20_000
    assert time.perf_counter() - begun < 3
