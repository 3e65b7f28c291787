"""Rules for labels below others: the nearest decides, and what is above does not decide about it once more."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

from typer.testing import CliRunner

from model_zoo import moderation as domain
from model_zoo.catalog import catalog, choose, named
from model_zoo.domain import Summary
from model_zoo.moderation.schema import ModerationPart
from model_zoo.moderation.signals import BOX_SIGNALS, FRAME_SIGNALS
from model_zoo.moderation.taxonomy import with_ancestors
from model_zoo.values import Box, Prediction
from model_zoo.verdict import Verdict
from serve.cli import app
from serve.policy import NamedPolicy
from serve.policy.decide import decide
from serve.policy.load import read_policy
from serve.settings import load_settings
from tests.unit.report_fixtures import finding, moderation, report, with_parents

SPECS = catalog()
PARTS = named(["nudenet_320n"], SPECS)[0]
NUDITY = "Non-Explicit Nudity of Intimate parts and Kissing"
SHIRTLESS = f"{NUDITY}: review\n      Exposed Male Nipple: allow"


def policy(folder: Path, labels: str, more: str = "") -> NamedPolicy:
    path = folder / "mine.yaml"
    head = f"schema: reelwarden.policy/1\nname: mine\nversion: 1\n{more}domains:\n  moderation:\n    labels:\n      "
    path.write_text(f"{head}{labels}\n", "utf-8")
    return read_policy(path, load_settings())


def caught(verdict: Verdict) -> list[tuple[str, str]]:
    return [(reason.label, reason.decision) for reason in verdict.reasons]


def decided(part: ModerationPart, mine: NamedPolicy) -> list[tuple[str, str]]:
    return caught(decide(report(moderation=part), mine))


def photographed(
    parts: Sequence[dict[str, float]], nsfw: float = 0.0, porn: float = 0.0, sexy: float = 0.0
) -> ModerationPart:
    """Return what moderation reports of a video in which body parts are seen second by second."""
    boxes = [
        Prediction(float(second), boxes=tuple(Box(label, score, 0, 0, 64, 64) for label, score in found.items()))
        for second, found in enumerate(parts)
    ]
    seconds = range(len(parts))
    rest = {"Drawing": 0.0, "Hentai": 0.0, "Neutral": 1 - porn - sexy}
    predictions = {
        "body_parts": boxes,
        "nsfw_score": [Prediction(float(second), {"sfw": 1 - nsfw, "nsfw": nsfw}) for second in seconds],
        "nsfw_classes": [Prediction(float(second), {"Porn": porn, "Sexy": sexy, **rest}) for second in seconds],
    }
    models = {role: choose("moderation", role, None, SPECS) for role in ("nsfw_score", "nsfw_classes")}
    models["body_parts"] = PARTS
    return domain.summarize(Summary(predictions, models, 1.0, float(len(parts)), 640, 320, {}))


CHEST = {"MALE_BREAST_EXPOSED": 0.9}


def test_an_allowed_label_is_not_reviewed_for_the_labels_above_it(tmp_path: Path) -> None:
    shirtless = photographed([CHEST] * 4)
    assert {segment.label for segment in shirtless.segments} == set(with_ancestors("Exposed Male Nipple"))
    assert decided(shirtless, policy(tmp_path, f"{NUDITY}: review")) == [
        (NUDITY, "review"),
        ("Non-Explicit Nudity", "review"),
        ("Exposed Male Nipple", "review"),
    ]
    assert decided(shirtless, policy(tmp_path, SHIRTLESS)) == []


def test_a_hint_beside_an_allowed_label_stays_a_hint(tmp_path: Path) -> None:
    shirtless = photographed([CHEST] * 4, sexy=0.95)
    assert decided(shirtless, policy(tmp_path, SHIRTLESS)) == []
    assert decided(shirtless, policy(tmp_path, SHIRTLESS, "hints: review\n")) == [(NUDITY, "review")]


def test_another_label_below_counts_at_its_own_confidence(tmp_path: Path) -> None:
    bare = photographed([{"FEMALE_BREAST_EXPOSED": 0.95, "BUTTOCKS_EXPOSED": 0.75}] * 4)
    rules = "Explicit: {review: 0.7, block: 0.9}\n      Exposed Female Nipple: allow"
    assert decided(bare, policy(tmp_path, rules)) == [
        ("Explicit", "review"),
        ("Explicit Nudity", "review"),
        ("Exposed Buttocks or Anus", "review"),
    ]


def test_what_speaks_for_the_label_above_itself_counts(tmp_path: Path) -> None:
    rules = "Explicit: {review: 0.7, block: 0.9}\n      Explicit Nudity: allow"
    nursing = [{"FEMALE_BREAST_EXPOSED": 0.97}] * 4
    assert decided(photographed(nursing), policy(tmp_path, rules)) == []
    seen = photographed(nursing, nsfw=0.8, porn=0.8)
    (reason,) = decide(report(moderation=seen), policy(tmp_path, rules)).reasons
    assert (reason.label, reason.decision, reason.confidence) == ("Explicit", "review", 0.8)
    assert caught(decide(report(moderation=photographed(nursing, nsfw=0.95, porn=0.95)), policy(tmp_path, rules))) == [
        ("Explicit", "block")
    ]


def test_a_label_at_another_time_counts(tmp_path: Path) -> None:
    apart = photographed([CHEST] * 2 + [{}] * 8 + [CHEST] * 2)
    later = [segment for segment in apart.segments if segment.label == NUDITY][1]
    without = [
        segment for segment in apart.segments if segment.label == NUDITY or segment.start_seconds < later.start_seconds
    ]
    part = apart.model_copy(update={"segments": without})
    reasons = decide(report(moderation=part), policy(tmp_path, SHIRTLESS)).reasons
    assert [(reason.label, reason.start_seconds) for reason in reasons] == [(NUDITY, later.start_seconds)]


def test_the_rule_of_a_label_alone_decides_however_severe(tmp_path: Path) -> None:
    part = moderation(*with_parents("Exposed Female Genitalia", 1, 2, 0.9))
    stricter = "Explicit: {review: 0.7}\n      Exposed Female Genitalia: {block: 0.8}"
    assert decided(part, policy(tmp_path, stricter)) == [("Exposed Female Genitalia", "block")]
    milder = "Explicit: {block: 0.7}\n      Explicit Nudity: {review: 0.8}"
    assert decided(part, policy(tmp_path, milder)) == [
        ("Explicit Nudity", "review"),
        ("Exposed Female Genitalia", "review"),
    ]


def test_a_named_label_is_nearer_than_a_level_or_any_but_a_level_is_not_nearer_than_another(tmp_path: Path) -> None:
    part = moderation(*with_parents("Exposed Male Nipple", 1, 2))
    any_label = "Exposed Male Nipple: allow\n    any: review"
    assert decided(part, policy(tmp_path, any_label)) == []
    assert decided(part, policy(tmp_path, "Exposed Male Nipple: allow\n    levels: {1: review}")) == []
    assert decided(part, policy(tmp_path, "Gambling: review\n    levels: {1: review, 3: allow}")) == [
        (NUDITY, "review")
    ]


def test_without_evidence_nobody_can_tell_so_everything_counts(tmp_path: Path) -> None:
    bare = [each.model_copy(update={"evidence": []}) for each in with_parents("Exposed Male Nipple", 1, 2)]
    assert decided(moderation(*bare), policy(tmp_path, SHIRTLESS)) == [
        (NUDITY, "review"),
        ("Non-Explicit Nudity", "review"),
    ]


def test_surer_evidence_than_that_of_the_label_below_counts(tmp_path: Path) -> None:
    nipple, above = finding("Exposed Male Nipple", 1, 2, 0.7), finding(NUDITY, 1, 9, 0.9)
    assert decided(moderation(above, nipple), policy(tmp_path, SHIRTLESS)) == [(NUDITY, "review")]


def test_explain_says_why_a_label_above_was_passed_over(tmp_path: Path) -> None:
    policy(tmp_path, f"{NUDITY}: {{review: 0.8}}\n      Exposed Male Nipple: allow")
    path = tmp_path / "report.json"
    arguments = ["policy", "explain", str(tmp_path / "mine.yaml"), str(path)]
    path.write_text(report(moderation=photographed([CHEST] * 4)).model_dump_json(), "utf-8")
    lines = CliRunner().invoke(app, arguments).stdout.splitlines()
    assert f"allow  moderation {NUDITY} 0.00-4.00 s at 0.90 <- moderation.labels.{NUDITY}: {{review: 0.8}}; " \
        "left to nearer rules: Exposed Male Nipple; nothing else was seen" in lines  # fmt: skip
    path.write_text(report(moderation=photographed([CHEST] * 4, sexy=0.95)).model_dump_json(), "utf-8")
    shown = CliRunner().invoke(app, arguments).stdout
    assert f"{NUDITY} 0.00-4.00 s at 0.95" in shown
    assert "left to nearer rules: Exposed Male Nipple; a hint (weak evidence), and hints are ignored" in shown


def test_every_label_of_a_model_speaks_for_one_label_of_a_branch_alone() -> None:
    """Else nobody could tell from the evidence of two segments whether the upper one says more than the lower one."""
    for signals in (*FRAME_SIGNALS.values(), *BOX_SIGNALS.values()):
        for one, other in permutations(signals, 2):
            shared = set(one.own_labels) & set(other.own_labels)
            assert not (shared and one.label != other.label and one.label in with_ancestors(other.label)), shared


def test_a_report_of_many_thousand_segments_is_decided_in_seconds(tmp_path: Path) -> None:
    labels = (NUDITY, "Exposed Male Nipple")
    every = [finding(label, 3.0 * number, 3.0 * number + 1) for number in range(10_000) for label in labels]
    mine, begun = policy(tmp_path, SHIRTLESS), time.perf_counter()
    assert decided(moderation(*every), mine) == []
    assert time.perf_counter() - begun < 5
