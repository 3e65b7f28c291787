"""What a policy makes of a report: thresholds, levels, durations, hints, and what the report cannot say."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from model_zoo.report import NO_PICTURE, Coverage, DomainPart, Report, ReportedError
from model_zoo.severity import severities
from model_zoo.toxicity.schema import ToxicitySegment
from model_zoo.verdict import Verdict
from serve.cli import app
from serve.policy import NamedPolicy, find_policy, verdict_of
from serve.policy.decide import decide
from serve.policy.load import read_policy
from serve.settings import load_settings
from tests.unit.report_fixtures import everything, finding, moderation, report, span, toxicity, with_parents

HEAD = "schema: reelwarden.policy/1\nname: mine\nversion: 1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def policy(folder: Path, body: str) -> NamedPolicy:
    path = folder / "mine.yaml"
    path.write_text(HEAD + body, "utf-8")
    return read_policy(path, load_settings())


def default() -> NamedPolicy:
    found = find_policy(load_settings())
    assert found is not None
    return found


def caught(verdict: Verdict) -> list[tuple[str, str]]:
    return [(reason.label, reason.decision) for reason in verdict.reasons]


@pytest.mark.parametrize(
    ("confidence", "decision"), [(0.69, "allow"), (0.7, "review"), (0.89, "review"), (0.9, "block")]
)
def test_the_peak_confidence_decides(folder: Path, confidence: float, decision: str) -> None:
    mine = policy(folder, "domains:\n  moderation: {labels: {Explicit: {review: 0.7, block: 0.9}}}\n")
    verdict = decide(report(moderation=moderation(finding("Explicit", 1, 2, confidence))), mine)
    assert verdict.decision == decision


def test_the_verdict_names_the_policy_and_the_segments_that_caused_it(folder: Path) -> None:
    mine = policy(folder, "domains:\n  moderation: {labels: {Explicit: {review: 0.7, block: 0.9}}}\n")
    found = moderation(finding("Explicit", 1, 2, 0.8), finding("Explicit", 5, 6.5, 0.93))
    verdict = decide(report(moderation=found), mine)
    assert (verdict.policy, verdict.policy_version, verdict.policy_sha256) == ("mine", 1, mine.sha256)
    severest, other = verdict.reasons
    assert (severest.decision, severest.start_seconds, severest.end_seconds) == ("block", 5, 6.5)
    assert (severest.confidence, severest.threshold) == (0.93, 0.9)
    assert severest.rule == "moderation.labels.Explicit: {review: 0.7, block: 0.9}"
    assert (other.decision, other.start_seconds) == ("review", 1)


def test_the_nearest_rule_counts(folder: Path) -> None:
    mine = policy(
        folder,
        "domains:\n  moderation:\n    levels: {3: review}\n    any: block\n    labels:\n"
        "      Swimwear or Underwear: allow\n      Male Swimwear or Underwear: review\n",
    )
    verdict = decide(
        report(
            moderation=moderation(
                *with_parents("Female Swimwear or Underwear", 0, 1),  # allowed by the rule of its parent
                finding("Male Swimwear or Underwear", 0, 1),  # a rule of its own
                finding("Corpses", 2, 3),  # the rule of level 3
                finding("Gambling", 4, 5),  # any
            )
        ),
        mine,
    )
    assert caught(verdict) == [
        ("Gambling", "block"),
        ("Male Swimwear or Underwear", "review"),
        ("Corpses", "review"),
    ]


def test_short_segments_of_a_video_do_not_count_but_pictures_have_no_duration(folder: Path) -> None:
    mine = policy(folder, "min_seconds: 2\ndomains:\n  moderation: {labels: {Violence: {block: 0.5}}}\n")
    part = moderation(finding("Violence", 1, 2.5), covered=("Violence",))
    assert decide(report(moderation=part), mine).decision == "allow"
    assert decide(report("image", moderation=part), mine).decision == "block"


def test_the_minimum_duration_of_a_rule_wins_over_the_domain_and_the_policy(folder: Path) -> None:
    mine = policy(
        folder,
        "min_seconds: 9\ndomains:\n  moderation:\n    min_seconds: 5\n    labels:\n      Violence: {block: 0.5}\n"
        "      Alcohol: {block: 0.5, min_seconds: 1}\n",
    )
    found = moderation(finding("Violence", 0, 4), finding("Alcohol", 0, 4), finding("Violence", 0, 5))
    assert [(r.label, r.end_seconds) for r in decide(report(moderation=found), mine).reasons] == [
        ("Alcohol", 4),
        ("Violence", 5),
    ]


@pytest.mark.parametrize(("hints", "decision"), [("ignore", "allow"), ("review", "review")])
def test_a_hint_never_blocks(folder: Path, hints: str, decision: str) -> None:
    mine = policy(folder, f"hints: {hints}\ndomains:\n  moderation: {{labels: {{Weapons: block}}}}\n")
    verdict = decide(report(moderation=moderation(finding("Weapons", 1, 2, 1.0, "hint"))), mine)
    assert verdict.decision == decision


def test_a_domain_may_treat_hints_in_its_own_way(folder: Path) -> None:
    mine = policy(folder, "hints: ignore\ndomains:\n  moderation: {hints: review, labels: {Weapons: {review: 0.5}}}\n")
    verdict = decide(report(moderation=moderation(finding("Weapons", 1, 2, 0.6, "hint"))), mine)
    assert caught(verdict) == [("Weapons", "review")]


def failed(domain: str) -> Report:
    error = ReportedError(domain=domain, type="BackendError", message="the model broke")
    return report(moderation=moderation()).model_copy(update={"complete": False, "errors": [error]})


def test_a_failed_domain_is_never_allowed_silently() -> None:
    verdict = decide(failed("toxicity"), default())
    assert verdict.decision == "review"
    (reason,) = verdict.reasons
    assert (reason.kind, reason.domain, reason.label, reason.rule) == (
        "error", "toxicity", "BackendError", "on_error: review",
    )  # fmt: skip


def test_what_a_failed_domain_leads_to_can_be_set_for_each(folder: Path) -> None:
    mine = policy(folder, "on_error: block\ndomains:\n  moderation: {any: block}\n  labels: {on_error: allow}\n")
    assert decide(failed("labels"), mine).decision == "allow"
    assert decide(failed("objects"), mine).decision == "block"


@pytest.mark.parametrize("place", ["decode", "sound"])
def test_media_that_break_off_are_never_allowed_silently(place: str) -> None:
    whole = report(moderation=moderation())
    facts = getattr(whole, place).model_copy(update={"truncated": True})
    verdict = decide(whole.model_copy(update={"complete": False, place: facts}), default())
    assert [(reason.kind, reason.decision) for reason in verdict.reasons] == [("incomplete", "review")]


def test_an_analysis_that_ended_early_counts_as_incomplete(folder: Path) -> None:
    error = ReportedError(domain=None, type="Stopped", message="the time was over")
    found = report(moderation=moderation()).model_copy(update={"complete": False, "errors": [error]})
    mine = policy(folder, "on_error: allow\non_incomplete: block\ndomains:\n  moderation: {any: block}\n")
    assert [(reason.kind, reason.label) for reason in decide(found, mine).reasons] == [("incomplete", "Stopped")]


def test_streams_that_nothing_looked_at_can_go_to_a_person(folder: Path) -> None:
    found = report(moderation=moderation())
    second = "#2 audio aac 48000 Hz 2 channels"
    found = found.model_copy(update={"media": found.media.model_copy(update={"unseen_streams": [second]})})
    body = "domains:\n  moderation: {any: block}\n"
    assert decide(found, policy(folder, body)).decision == "allow"
    asked = decide(found, policy(folder, "on_unseen_streams: review\n" + body))
    assert [(one.kind, one.decision, one.label) for one in asked.reasons] == [("incomplete", "review", second)]


def test_labels_that_nothing_looked_for_are_listed_and_can_decide(folder: Path) -> None:
    body = "domains:\n  moderation:\n    labels: {Explicit: block, Corpses: {block: 0.5%s}}\n"
    found = report(moderation=moderation(covered=("Explicit",)))
    quiet = decide(found, policy(folder, body % ""))
    assert quiet.decision == "allow"
    assert [(entry.label, entry.reason) for entry in quiet.not_covered] == [
        ("Corpses", "none of the models that ran knows it")
    ]
    strict = decide(found, policy(folder, body % ", on_not_covered: review"))
    assert [(reason.kind, reason.label, reason.decision) for reason in strict.reasons] == [
        ("not covered", "Corpses", "review")
    ]


def test_a_level_relies_on_every_label_of_it(folder: Path) -> None:
    mine = policy(folder, "domains:\n  moderation: {levels: {1: review}}\n")
    missing = {entry.label for entry in decide(report(moderation=moderation()), mine).not_covered}
    assert {"Violence", "Gambling"} <= missing
    assert not {"Explicit", "Corpses"} & missing


def test_weak_evidence_alone_does_not_cover_a_label_where_hints_are_ignored(folder: Path) -> None:
    part = DomainPart(coverage=[Coverage(label="Weapons", grade="weak evidence", source="objects/some_model")])
    body = "hints: %s\ndomains:\n  moderation: {labels: {Weapons: review}}\n"
    (entry,) = decide(report(moderation=part), policy(folder, body % "ignore")).not_covered
    assert entry.reason == "only weak evidence covers it, and hints are ignored"
    assert not decide(report(moderation=part), policy(folder, body % "review")).not_covered


def test_a_domain_that_did_not_run_is_listed_once_and_can_call_a_person(folder: Path) -> None:
    found = report(moderation=moderation())
    verdict = decide(found, default())
    assert ("toxicity", "every label") in [(entry.domain, entry.label) for entry in verdict.not_covered]
    assert verdict.decision == "allow"
    mine = policy(folder, "domains:\n  toxicity: {any: block, on_not_covered: review}\n")
    assert caught(decide(found, mine)) == [("every label", "review")]


@pytest.mark.parametrize(
    ("domain_says", "weapons_say", "decision"),
    [("review", "allow", "review"), ("block", "review", "block"), ("allow", "review", "review")],
)
def test_what_one_label_says_of_a_domain_that_did_not_run_takes_nothing_from_the_others(
    folder: Path, domain_says: str, weapons_say: str, decision: str
) -> None:
    body = (
        f"domains:\n  moderation:\n    on_not_covered: {domain_says}\n    labels:\n      Explicit: {{review: 0.7}}\n"
        f"      Weapons: {{review: 0.7, on_not_covered: {weapons_say}}}\n"
    )
    assert decide(report(toxicity=toxicity()), policy(folder, body)).decision == decision


def test_a_label_whose_absence_may_pass_is_no_reason_where_it_alone_is_relied_on(folder: Path) -> None:
    rule = "{review: 0.7, on_not_covered: allow}"
    body = f"domains:\n  moderation: {{on_not_covered: review, labels: {{Weapons: {rule}, Alcohol: allow}}}}\n"
    assert decide(report(toxicity=toxicity()), policy(folder, body)).decision == "allow"


def test_a_label_that_other_entries_do_not_mention_is_not_covered(folder: Path) -> None:
    body = "on_not_covered: review\ndomains:\n  %s: {labels: {%s: block}}\n"
    missing = decide(report(moderation=moderation()), policy(folder, body % ("moderation", "x:Mascots")))
    assert [(entry.label, entry.reason) for entry in missing.not_covered] == [("x:Mascots", "no model covers it")]
    assert missing.decision == "review"
    closed = DomainPart(coverage=[Coverage(label="1000 classes of some_model", grade="trained classifier")])
    assert decide(report(labels=closed), policy(folder, body % ("labels", "rifle"))).decision == "allow"


def test_a_domain_with_unforeseeable_labels_that_saw_nothing_is_not_covered(folder: Path) -> None:
    mine = policy(folder, "on_not_covered: review\ndomains:\n  text: {any: block}\n")
    part = DomainPart(coverage=[Coverage(label="text", grade="not covered", reason="the analysis ended before it")])
    assert caught(decide(report(text=part), mine)) == [("every label", "review")]
    seen = DomainPart(coverage=[Coverage(label="text", grade="trained detector")])
    assert decide(report(text=seen), mine).decision == "allow"


def test_the_projects_own_policy_gives_no_verdict_where_none_of_its_domains_was_asked_for(folder: Path) -> None:
    shots_only = report(shots=everything().domains["shots"])
    assert verdict_of(shots_only, default()) is None
    assert verdict_of(shots_only, None) is None
    mine = policy(folder, "domains:\n  moderation: {any: block, on_not_covered: block}\n")
    verdict = verdict_of(shots_only, mine)
    assert verdict is not None
    assert verdict.decision == "block"
    nothing_left = failed("moderation").model_copy(update={"domains": {}})
    verdict = verdict_of(nothing_left, default())
    assert verdict is not None
    assert verdict.decision == "review"


def test_a_recording_without_a_picture_is_not_reviewed_for_what_cannot_be_seen() -> None:
    part = DomainPart(coverage=[Coverage(label="Explicit", grade="not covered", reason=NO_PICTURE)])
    verdict = decide(report("audio", moderation=part), default())
    assert verdict.decision == "allow"
    assert "Explicit" not in {entry.label for entry in verdict.not_covered}


def test_the_default_policy_blocks_and_reviews_what_its_page_says() -> None:
    sure = report(moderation=moderation(*with_parents("Exposed Male Genitalia", 1, 2, 0.95)), toxicity=toxicity())
    verdict = decide(sure, default())
    assert verdict.decision == "block"
    assert ("insult", "review") in caught(verdict)
    kissing = report(moderation=moderation(*with_parents("Kissing on the Lips", 1, 9, 0.99)))
    assert decide(kissing, default()).decision == "allow"


def of_toxicity(*segments: ToxicitySegment) -> Report:
    return report(toxicity=toxicity().model_copy(update={"segments": list(segments)}))


@pytest.mark.parametrize(("confidence", "decision"), [(0.79, "allow"), (0.8, "review"), (1.0, "review")])
def test_a_text_that_is_toxic_as_a_whole_goes_to_a_person_never_further(confidence: float, decision: str) -> None:
    unsure = ToxicitySegment(label="harassment_or_abuse", origin="text", **span(0.0, 0.0, 0.69))
    whole = ToxicitySegment(label="toxicity", origin="text", item=4, item_id="c-17", **span(0.0, 0.0, confidence))
    verdict = decide(of_toxicity(unsure, whole), default())
    assert verdict.decision == decision
    assert [(reason.label, reason.item, reason.item_id) for reason in verdict.reasons] == (
        [("toxicity", 4, "c-17")] if decision == "review" else []
    )
    assert severities({"toxicity": of_toxicity(whole).domains["toxicity"]})["Hate"] == (2 if confidence >= 0.8 else 0)


def test_a_policy_may_name_the_score_as_a_whole(folder: Path) -> None:
    mine = policy(folder, "domains:\n  toxicity: {labels: {toxicity: {block: 0.95}}}\n")
    whole = ToxicitySegment(label="toxicity", origin="speech", **span(1.0, 2.0, 0.96))
    assert caught(decide(of_toxicity(whole), mine)) == [("toxicity", "block")]


@pytest.mark.parametrize(("confidence", "decision"), [(0.59, "allow"), (0.6, "review"), (0.99, "review")])
def test_hateful_writing_on_the_screen_goes_to_a_person(confidence: float, decision: str) -> None:
    found = moderation(finding("x:Visible hate text", 1, 4, confidence))
    assert decide(report(moderation=found), default()).decision == decision


def test_severity_is_that_of_the_severest_segment_and_missing_where_nothing_looked() -> None:
    found = report(
        moderation=moderation(finding("Explicit", 1, 2, 0.95), finding("Weapons", 1, 2, 0.99, "hint")),
        toxicity=toxicity(),
    )
    assert severities(found.domains) == {"Hate": 2, "Sexual": 6, "Violence": 0}
    assert severities(report(moderation=moderation()).domains) == {"Sexual": 0}


def test_a_hint_counts_as_low_severity_at_most() -> None:
    part = moderation(finding("Violence", 1, 2, 1.0, "hint"))
    assert severities({"moderation": part}) == {"Sexual": 0, "Violence": 2}


def test_weak_evidence_that_finds_nothing_says_nothing_of_severity() -> None:
    part = DomainPart(coverage=[Coverage(label="Violence", grade="weak evidence", source="objects/some_model")])
    assert severities({"moderation": part}) == {}


def test_explain_says_what_was_caught_and_why_the_rest_was_not(folder: Path) -> None:
    path = folder / "report.json"
    path.write_text(everything().model_dump_json(), "utf-8")
    answer = CliRunner().invoke(app, ["policy", "explain", "default", str(path)])
    assert answer.exit_code == 0
    lines = answer.stdout.splitlines()
    assert lines[0] == "block: clip.mp4, by default version 1"
    rule = "moderation.labels.Explicit: {review: 0.7, block: 0.9}"
    assert f"block  moderation Explicit 2.00-4.00 s at 0.95 <- {rule}" in lines
    assert any(line.startswith("allow  moderation Weapons") and "hints are ignored" in line for line in lines)
    assert lines[-1].startswith("severity: Hate 2, Sexual 6")


def test_explain_prints_the_same_verdict_as_an_analysis_carries(folder: Path) -> None:
    path = folder / "report.json"
    path.write_text(everything().model_dump_json(), "utf-8")
    answer = CliRunner().invoke(app, ["policy", "explain", "default", str(path), "--json"])
    assert Verdict.model_validate_json(answer.stdout) == decide(everything(), default())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": "reelwarden.report/9"}', "[" * 100_000])
def test_what_is_no_report_is_refused_in_one_line(folder: Path, text: str) -> None:
    path = folder / "report.json"
    path.write_text(text, "utf-8")
    answer = CliRunner().invoke(app, ["policy", "explain", "default", str(path)])
    assert answer.exit_code != 0
    assert "not a report" in str(answer.exception)
