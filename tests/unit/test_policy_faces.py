"""Policies about people: a name is covered only where somebody was compared with a gallery."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from model_zoo.report import NO_PICTURE, Coverage, DomainPart, Report
from model_zoo.verdict import Verdict
from serve.pipeline import Analyzer
from serve.policy.decide import decide
from serve.policy.load import read_policy
from serve.settings import load_settings
from tests.conftest import MEDIA
from tests.unit.report_fixtures import report

PICTURE = MEDIA / "faces" / "grace_hopper_crop.jpg"


def by_policy(folder: Path, found: Report, label: str) -> Verdict:
    path = folder / "mine.yaml"
    head = "schema: reelwarden.policy/1\nname: mine\nversion: 1\non_not_covered: review\n"
    path.write_text(f"{head}domains:\n  faces: {{labels: {{{label}: block}}}}\n", "utf-8")
    return decide(found, read_policy(path, load_settings()))


def missing(verdict: Verdict) -> list[tuple[str, str]]:
    return [(entry.label, entry.reason) for entry in verdict.not_covered]


@pytest.mark.weights
@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"biometrics": False}, "biometrics are switched off"), ({}, "no gallery was given")],
)
def test_a_named_person_is_not_covered_where_nobody_was_compared_with_a_gallery(
    tmp_path: Path, settings: Mapping[str, Any], reason: str
) -> None:
    with Analyzer(load_settings(domains="faces", **settings)) as analyzer:
        found = analyzer.analyze(PICTURE)
    verdict = by_policy(tmp_path, found, "Jane Doe")
    assert (verdict.decision, missing(verdict)) == ("review", [("Jane Doe", reason)])
    assert missing(by_policy(tmp_path, found, "face")) == []


@pytest.mark.weights
def test_a_named_person_is_covered_where_faces_were_compared_with_a_gallery(tmp_path: Path) -> None:
    gallery = tmp_path / "known" / "Jane Doe"
    gallery.mkdir(parents=True)
    (gallery / "1.jpg").write_bytes((MEDIA / "faces" / "astronaut_mirrored.jpg").read_bytes())
    with Analyzer(load_settings(domains="faces", gallery=gallery.parent)) as analyzer:
        found = analyzer.analyze(PICTURE)
    assert by_policy(tmp_path, found, "Jane Doe").decision == "allow"


def test_reports_of_earlier_versions_speak_for_names_by_the_person(tmp_path: Path) -> None:
    entries = [
        Coverage(label="face", grade="trained detector"),
        Coverage(label="person", grade="not covered", reason="biometrics are switched off"),
    ]
    verdict = by_policy(tmp_path, report(faces=DomainPart(coverage=entries)), "Jane Doe")
    assert missing(verdict) == [("Jane Doe", "biometrics are switched off")]


def test_a_sound_is_not_reviewed_for_people_that_it_cannot_show(tmp_path: Path) -> None:
    entries = [
        Coverage(label="face", grade="not covered", reason=NO_PICTURE),
        Coverage(label="person", grade="not covered", reason=NO_PICTURE),
        Coverage(label="name", grade="not covered", reason="no gallery was given"),
    ]
    assert by_policy(tmp_path, report("audio", faces=DomainPart(coverage=entries)), "Jane Doe").decision == "allow"
