"""Why a report cannot speak for a label that a policy relies on."""

from __future__ import annotations

from collections.abc import Sequence

from model_zoo.report import Coverage, Grade, Report
from model_zoo.vocabulary import NAMES, Vocabulary
from serve.policy.rules import Hints

EVERY_LABEL = "every label"  # of a domain that did not run, or whose labels nobody can foresee


def why_not_covered(report: Report, domain: str, label: str, vocabulary: Vocabulary, hints: Hints) -> str:
    """Return why the report cannot speak for a label; nothing where it can."""
    if domain not in report.domains:
        return "the domain did not run"
    coverage = report.domains[domain].coverage
    about = _about(domain, label, coverage, vocabulary)
    if coverage and not about:
        return "no model covers it"
    grades = {entry.grade for entry in about}
    if grades == {"not covered"}:
        return about[0].reason or "no model covers it"
    return "only weak evidence covers it, and hints are ignored" if hints == "ignore" and _is_weak(grades) else ""


def _about(domain: str, label: str, coverage: Sequence[Coverage], vocabulary: Vocabulary) -> Sequence[Coverage]:
    """Return the entries that speak of a label; none where others have entries of their own and it has not."""
    if label == EVERY_LABEL:
        return coverage
    own = [entry for entry in coverage if entry.label == label]
    if own or all(entry.grade == "not covered" for entry in coverage):
        return own or coverage
    for name in NAMES.get(domain, ()):
        of_names = [entry for entry in coverage if entry.label == name]
        if of_names:
            return of_names
    # a domain with a closed list of labels has one entry for all of them
    return () if any(entry.label in vocabulary for entry in coverage) else coverage


def _is_weak(grades: set[Grade]) -> bool:
    return bool(grades) and grades <= {"weak evidence", "not covered"}
