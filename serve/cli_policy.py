"""`reelwarden policy`: check a policy, show one, and explain what it makes of a report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from model_zoo.errors import PolicyError
from model_zoo.report import Report
from model_zoo.verdict import ReviewedSegment, Verdict
from serve.policy.decide import Judged, judge, verdict_of
from serve.policy.load import DEFAULT, NamedPolicy, policy_path, read_policy
from serve.review.findings import key_of
from serve.review.outcome import outcome, rejected
from serve.saved import read_report
from serve.settings import load_settings
from serve.shown import shown

app = typer.Typer(no_args_is_help=True)

PolicyName = Annotated[str, typer.Argument(help="A policy file, or `default`.")]


@app.command()
def check(policy: PolicyName) -> None:
    """Check a policy file; every problem is one line with file and line number."""
    try:
        named = read_policy(policy_path(policy), load_settings())
    except PolicyError as error:
        for problem in error.problems:
            typer.echo(shown(problem), err=True)
        raise typer.Exit(error.exit_code) from error
    domains = named.policy.domains
    rules = sum(len(part.labels) + len(part.levels) + bool(part.any) for part in domains.values())
    typer.echo(f"{named.policy.name} version {named.policy.version}: {rules} rules for {', '.join(domains)}")


@app.command()
def show(policy: PolicyName = DEFAULT) -> None:
    """Print a policy file: the default one, to copy and change."""
    path = policy_path(policy)
    read_policy(path, load_settings())
    typer.echo(path.read_text("utf-8"), nl=False)


@app.command()
def explain(
    policy: PolicyName,
    report: Annotated[Path, typer.Argument(help="A report.json.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Say what a policy makes of a report, and why: also of what it allows. The report is not changed."""
    named = read_policy(policy_path(policy), load_settings())
    found = read_report(report)
    verdict = verdict_of(found, named)
    if verdict is None:
        typer.echo(f"no verdict: the report has none of the domains {', '.join(named.policy.domains)}")
        return
    if as_json:
        typer.echo(verdict.model_dump_json(indent=2))
        return
    for line in _explanation(found, named, verdict):
        typer.echo(shown(line))


def _explanation(report: Report, named: NamedPolicy, verdict: Verdict) -> Iterator[str]:
    yield f"{verdict.decision}: {report.media.name}, by {verdict.policy} version {verdict.policy_version}"
    for reason in verdict.reasons:
        if reason.kind != "segment":
            yield f"{reason.decision:<7}{reason.kind}: {reason.domain} {reason.label} <- {reason.rule}"
    wrong = rejected(report.review)
    for judged in judge(report, named):
        yield _line(judged, wrong.get(key_of(judged.domain, judged.segment)))
    for entry in verdict.not_covered:
        yield f"not covered: {entry.domain} {entry.label} ({entry.reason})"
    if report.review:
        found = outcome(verdict, report.review)
        yield f"outcome: {found}, after the review by {report.review.reviewer} at {report.review.reviewed_at}"
    yield "severity: " + (", ".join(f"{name} {value}" for name, value in verdict.severity.items()) or "not known")


def _line(judged: Judged, rejection: ReviewedSegment | None) -> str:
    segment = judged.segment
    item = getattr(segment, "item", None)
    when = f"{segment.start_seconds:.2f}-{segment.end_seconds:.2f} s" if item is None else f"item {item}"
    why = f"; left to nearer rules: {', '.join(judged.without)}" if judged.without else ""
    why += f"; {judged.why_not}" if judged.why_not else ""
    if rejection:
        why += f"; rejected by the reviewer{rejection.note and f': {rejection.note}'}"
    what = f"{judged.domain} {segment.label} {when} at {segment.peak_confidence:.2f}"
    return f"{judged.decision:<7}{what} <- {judged.rule}{why}"
