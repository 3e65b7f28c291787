"""What a reviewer is asked about, and what becomes of the answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from model_zoo.errors import UsageError
from model_zoo.report import Report, ReportedError
from model_zoo.toxicity.schema import Passage, ToxicityPart, ToxicitySegment
from model_zoo.verdict import Reason, Review
from serve.cli import app
from serve.review import merged, page, read_decisions, report_sha256
from serve.review.findings import findings, veiled
from serve.review.lanes import lanes
from serve.review.overlays import overlays
from serve.review.page import clock, words
from serve.review.source import MediaSource
from serve.review.words import lines, pieces
from tests.conftest import MEDIA
from tests.review_reports import demo_report, span


@pytest.fixture(scope="module")
def report() -> Report:
    return demo_report(MEDIA / "demo.mp4")


def decisions(report: Report, **more: Any) -> str:
    segment = {"domain": "toxicity", "label": "insult", "start_seconds": 21.5, "end_seconds": 26.0}
    document = {
        "reviewer": "Ada",
        "reviewed_at": "2026-11-24T15:00:00Z",
        "report_sha256": report_sha256(report),
        "segments": [segment | {"decision": "reject", "note": "irony"}],
    }
    return json.dumps(document | more)


def test_the_most_specific_label_is_asked_about_with_its_path_and_the_rule(report: Report) -> None:
    weapons, insult = findings(report)
    assert (weapons.label, weapons.path, weapons.verdict) == ("Weapons", ("Violence",), "block")
    assert weapons.rule == "Weapons at 0.50 or more"
    assert (insult.domain, insult.origin, insult.verdict) == ("toxicity", "speech", None)


def test_a_reason_of_any_domain_becomes_a_finding_and_an_error_does_not(report: Report) -> None:
    assert report.verdict
    of_objects = Reason(
        decision="review",
        rule="people",
        domain="objects",
        label="person",
        start_seconds=15.0,
        end_seconds=18.0,
        confidence=0.9,
    )
    of_an_error = of_objects.model_copy(update={"domain": "labels", "label": "failed"})
    verdict = report.verdict.model_copy(update={"reasons": [of_objects, of_an_error]})
    found = findings(report.model_copy(update={"verdict": verdict}))
    assert [(finding.domain, finding.verdict) for finding in found] == [
        ("moderation", None),
        ("objects", "review"),
        ("toxicity", None),
    ]


def test_pictures_are_hidden_one_sample_beyond_what_is_seen_and_not_for_what_is_said(report: Report) -> None:
    assert veiled(report) == [(14.0, 19.0)]


def test_everything_is_hidden_where_moderation_failed(report: Report) -> None:
    error = ReportedError(domain="moderation", type="RuntimeError", message="out of memory")
    assert veiled(report.model_copy(update={"errors": [error]})) == [(0.0, 32.2)]


def test_what_was_not_analyzed_is_hidden(report: Report) -> None:
    decode = report.decode.model_copy(update={"truncated": True, "analyzed_seconds": 20.0})
    assert veiled(report.model_copy(update={"decode": decode})) == [(14.0, 19.0), (20.0, 32.2)]
    stopped = ReportedError(type="Stopped", message="pictures analyzed up to 18.50 s only: asked to")
    early = report.decode.model_copy(update={"analyzed_seconds": 18.5})
    assert veiled(report.model_copy(update={"decode": early, "errors": [stopped]})) == [(14.0, 32.2)]


def test_of_the_same_words_said_and_shown_the_picture_is_hidden(report: Report) -> None:
    both = [ToxicitySegment(**span("insult", 3.0, 5.0), origin=origin) for origin in ("screen", "speech")]
    parts = {"toxicity": ToxicityPart(segments=both)}
    changed = report.model_copy(update={"domains": parts, "verdict": None})
    assert [finding.origin for finding in findings(changed)] == ["screen"]
    assert len(veiled(changed)) == 1


def test_what_is_toxic_as_a_whole_is_asked_about_where_no_key_says_more(report: Report) -> None:
    explained = [ToxicitySegment(**span(label, 3.0, 5.0), origin="speech") for label in ("insult", "toxicity")]
    bare = ToxicitySegment(**span("toxicity", 9.0, 10.0), origin="speech")
    hint = ToxicitySegment(**span("sexual", 9.0, 10.0), origin="speech", status="hint")
    part = ToxicityPart(segments=[*explained, bare, hint])
    found = findings(report.model_copy(update={"domains": {"toxicity": part}, "verdict": None}))
    assert [(finding.label, finding.start_seconds) for finding in found] == [
        ("insult", 3.0),
        ("sexual", 9.0),
        ("toxicity", 9.0),
    ]


def test_what_is_said_hides_no_picture_where_the_verdict_rests_on_the_whole_of_it(report: Report) -> None:
    said = [ToxicitySegment(**span(label, 3.0, 5.0), origin="speech") for label in ("insult", "toxicity")]
    reason = Reason(
        decision="review", rule="whole", domain="toxicity", label="toxicity", start_seconds=3.0, end_seconds=5.0,
        confidence=0.9,
    )  # fmt: skip
    assert report.verdict
    verdict = report.verdict.model_copy(update={"reasons": [reason]})
    changed = report.model_copy(update={"domains": {"toxicity": ToxicityPart(segments=said)}, "verdict": verdict})
    assert [(finding.label, finding.origin) for finding in findings(changed)] == [
        ("insult", "speech"),
        ("toxicity", "speech"),
    ]
    assert veiled(changed) == []


def of_items(report: Report) -> Report:
    insults = [
        ToxicitySegment(**span("insult", 0.0, 0.0), origin="text", item=item, item_id=f"c-{item}") for item in (2, 5)
    ]
    return report.model_copy(update={"domains": {"toxicity": ToxicityPart(segments=insults)}, "verdict": None})


def test_of_several_texts_each_is_asked_about_and_decided_by_itself(report: Report) -> None:
    comments = of_items(report)
    assert [(finding.item, finding.item_id) for finding in findings(comments)] == [(2, "c-2"), (5, "c-5")]
    assert "item 5 (c-5)" in page(comments, MediaSource("clip.mp4", []))
    item = {"domain": "toxicity", "label": "insult", "start_seconds": 0, "end_seconds": 0, "decision": "reject"}
    done = merged(comments, read_decisions("d.json", decisions(comments, segments=[item | {"item": 5}])))
    assert done.review
    assert [segment.item for segment in done.review.segments] == [5]
    with pytest.raises(UsageError, match="not in this report"):
        merged(comments, read_decisions("d.json", decisions(comments, segments=[item | {"item": 4}])))


def test_labels_share_a_row_only_where_they_never_meet(report: Report) -> None:
    numbers = {finding.key: number for number, finding in enumerate(findings(report))}
    by_domain = {lane.domain: lane for lane in lanes(report, numbers)}
    rows = by_domain["moderation"].rows
    assert [[bar.label for bar in row] for row in rows] == [["Violence"], ["Weapons"]]
    assert [bar.finding for row in rows for bar in row] == [None, 0]
    assert list(by_domain) == list(report.domains)


def test_boxes_come_from_every_domain_that_has_them(report: Report) -> None:
    assert {overlay.domain for overlay in overlays(report)} >= {"moderation", "objects", "faces"}
    assert next(item for item in overlays(report) if item.domain == "moderation").places == (
        (16.5, 0.6, 0.5, 0.8, 0.9),
    )


def test_words_are_marked_where_passages_are_also_when_they_overlap_or_reach_too_far() -> None:
    cut = pieces("a bad word", [Passage(start=2, end=5, key="insult"), Passage(start=4, end=99, key="profanity")])
    assert [(piece.text, piece.keys) for piece in cut] == [
        ("a ", ()),
        ("ba", ("insult",)),
        ("d", ("insult", "profanity")),
        (" word", ("profanity",)),
    ]


def test_every_line_is_shown_once_rated_or_not(report: Report) -> None:
    shown = [("".join(piece.text for piece in line.pieces), line.origin, line.speaker) for line in lines(report)]
    assert shown == [
        ("CITY TRAFFIC NEWS", "screen", None),
        ("You are a stupid idiot. Shut up.", "speech", "speaker-1"),
    ]
    unrated = {name: part for name, part in report.domains.items() if name != "toxicity"}
    assert [line.toxicity for line in lines(report.model_copy(update={"domains": unrated}))] == [None, None]


def test_times_and_labels_are_written_for_people() -> None:
    assert [clock(second) for second in (0.0, 59.96, 61.24, 3723.0)] == ["0:00.0", "1:00.0", "1:01.2", "1:02:03.0"]
    assert words("hate_speech") == "hate speech"
    assert words("File_Name") == "File_Name"


def test_the_hash_is_of_the_content_and_not_of_the_layout_the_run_or_the_review(report: Report) -> None:
    own = report_sha256(report)
    document = json.loads(report.model_dump_json(indent=4))
    document["run"]["wall_seconds"] = 99.0
    again = Report.model_validate(dict(reversed(document.items())))
    assert report_sha256(again) == own
    assert report_sha256(merged(again, read_decisions("d.json", decisions(report)))) == own
    document["media"]["sha256"] = "0" * 64
    assert report_sha256(Report.model_validate(document)) != own


def test_decisions_become_part_of_the_report(report: Report) -> None:
    review = merged(report, read_decisions("d.json", decisions(report))).review
    assert review
    assert [(item.label, item.decision, item.note) for item in review.segments] == [("insult", "reject", "irony")]


def test_every_review_is_kept_and_the_latest_counts_in_whatever_order_they_come(report: Report) -> None:
    def at(hour: int, who: str, decision: str) -> Review:
        item = json.loads(decisions(report))["segments"][0] | {"decision": decision}
        text = decisions(report, reviewer=who, reviewed_at=f"2026-11-24T{hour}:00:00Z", segments=[item])
        return read_decisions("d.json", text)

    first, second, third = at(10, "Ada", "accept"), at(11, "Bob", "reject"), at(12, "Ada", "reject")
    in_order = merged(merged(merged(report, first), second), third)
    assert in_order.review
    reviews = [*(in_order.earlier_reviews or ()), in_order.review]
    assert [(review.reviewer, review.reviewed_at) for review in reviews] == [
        (review.reviewer, review.reviewed_at) for review in (first, second, third)
    ]
    assert merged(merged(merged(report, third), first), second) == in_order
    assert merged(in_order, first) == in_order
    assert Report.model_validate_json(in_order.model_dump_json()).earlier_reviews == in_order.earlier_reviews
    assert report_sha256(in_order) == report_sha256(report)


def of_the_weapons(report: Report, decision: str) -> str:
    (weapons, _) = findings(report)
    domain, label, start, end, _ = weapons.key
    item = {"domain": domain, "label": label, "start_seconds": start, "end_seconds": end, "decision": decision}
    return decisions(report, segments=[item | {"note": "a toy"}])


@pytest.mark.parametrize(("decision", "outcome"), [("reject", "allow"), ("accept", "block")])
def test_a_review_says_what_is_left_of_the_verdict_and_keeps_it(report: Report, decision: str, outcome: str) -> None:
    done = merged(report, read_decisions("d.json", of_the_weapons(report, decision)))
    assert done.review
    assert report.verdict
    assert (done.review.outcome, done.verdict) == (outcome, report.verdict)
    assert merged(done, read_decisions("d.json", of_the_weapons(report, decision))) == done


def test_what_nobody_could_look_at_stays_a_reason_whatever_was_rejected(report: Report) -> None:
    assert report.verdict
    (caught,) = report.verdict.reasons
    broke = caught.model_copy(update={"kind": "incomplete", "decision": "review"})
    verdict = report.verdict.model_copy(update={"reasons": [caught, broke]})
    whole = report.model_copy(update={"verdict": verdict})
    done = merged(whole, read_decisions("d.json", of_the_weapons(whole, "reject")))
    assert done.review
    assert done.review.outcome == "review"


def test_a_review_of_a_report_without_a_verdict_has_no_outcome(report: Report) -> None:
    bare = report.model_copy(update={"verdict": None})
    done = merged(bare, read_decisions("d.json", decisions(bare)))
    assert done.review
    assert done.review.outcome is None


def test_apply_and_explain_tell_the_outcome_and_what_was_rejected(report: Report, tmp_path: Path) -> None:
    place, decided = tmp_path / "report.json", tmp_path / "decisions.json"
    place.write_text(report.model_dump_json())
    decided.write_text(of_the_weapons(report, "reject"))
    assert "outcome allow, the policy alone said block" in run("apply", place, decided).stdout
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "schema: reelwarden.policy/1\nname: mine\nversion: 1\ndomains:\n  moderation: {labels: {Weapons: block}}\n"
    )
    told = CliRunner().invoke(app, ["policy", "explain", str(mine), str(place)]).stdout
    assert told.startswith("block: demo.mp4")
    assert "; rejected by the reviewer: a toy" in told
    assert "outcome: allow, after the review by Ada at 2026-11-24T15:00:00Z" in told


def test_decisions_of_another_report_are_refused(report: Report) -> None:
    review = read_decisions("d.json", decisions(report, report_sha256="0" * 64))
    with pytest.raises(UsageError, match=r"report_sha256='0{64}': these decisions were made on another report"):
        merged(report, review)


def test_a_decision_on_a_segment_that_is_not_there_is_refused(report: Report) -> None:
    item = {"domain": "toxicity", "label": "graphic", "start_seconds": 1, "end_seconds": 2, "decision": "accept"}
    with pytest.raises(UsageError, match="'graphic' of toxicity, 1 to 2 s: not in this report"):
        merged(report, read_decisions("d.json", decisions(report, segments=[item])))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "d.json: the file: Invalid JSON"),
        ("{}", "d.json: reviewer: Field required"),
        ('{"reviewer": " ", "reviewed_at": "", "report_sha256": "", "segments": []}', "say who decided"),
        ('{"reviewer": "A", "reviewed_at": "noon", "report_sha256": "", "segments": []}', "reviewed_at='noon'"),
    ],
)
def test_a_file_that_holds_no_decisions_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_decisions("d.json", text)


def test_a_report_of_a_text_has_a_page_without_a_player(report: Report) -> None:
    media = report.media.model_copy(update={"kind": "text", "video": None, "audio": None, "duration_seconds": None})
    html = page(report.model_copy(update={"media": media}), MediaSource())
    assert "<video" not in html
    assert "stupid" in html


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["review", *map(str, arguments)])


def test_build_refuses_another_video_than_the_one_of_the_report(report: Report, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(report.model_dump_json())
    outcome = run("build", tmp_path / "report.json", MEDIA / "variants/demo_vfr.mp4", "--out", tmp_path / "page.html")
    assert isinstance(outcome.exception, UsageError)
    assert "is not that of the report" in str(outcome.exception)
    assert not (tmp_path / "page.html").exists()


def test_the_same_report_gives_the_same_page(report: Report, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(report.model_dump_json())
    for name in ("one.html", "two.html"):
        assert (
            "2 findings to decide"
            in run("build", tmp_path / "report.json", MEDIA / "demo.mp4", "--out", tmp_path / name).stdout
        )
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_decisions_that_cannot_be_read_are_refused(report: Report, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(report.model_dump_json())
    outcome = run("apply", tmp_path / "report.json", tmp_path / "decisions.json")
    assert isinstance(outcome.exception, UsageError)
    assert "cannot be read" in str(outcome.exception)
