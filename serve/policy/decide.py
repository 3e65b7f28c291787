"""Apply a policy to a report. Pure: the same policy and report give the same verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from model_zoo.report import NO_PICTURE, NO_SOUND, Report, Segment
from model_zoo.severity import severities
from model_zoo.verdict import Decision, NotCovered, Reason, Verdict
from model_zoo.vocabulary import Known, Vocabulary
from serve.policy.load import NamedPolicy
from serve.policy.nested import Rest, named_for, rests
from serve.policy.rules import DomainRules, Policy, Rule
from serve.policy.uncovered import EVERY_LABEL, why_not_covered

DECISIONS: tuple[Decision, ...] = get_args(Decision)  # from mild to severe
Kind = Literal["segment", "error", "incomplete", "not covered"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What the policy says of one segment, and why."""

    domain: str
    segment: Segment  # with the confidence and the status that count
    decision: Decision
    rule: str  # in words, as the policy writes it
    threshold: float | None  # that was reached
    why_not: str  # why a segment with a rule is allowed all the same; empty where it is not
    without: tuple[str, ...]  # the labels below it that nearer rules decide, and that do not count here


def verdict_of(report: Report, named: NamedPolicy | None) -> Verdict | None:
    """Return the verdict of a policy, or None where there is none, or where it has nothing to say of such a report."""
    asked = {*report.domains, *(error.domain or "" for error in report.errors)}
    return decide(report, named) if named and named.speaks_of(asked) else None


def decide(report: Report, named: NamedPolicy) -> Verdict:
    """Return the verdict of a policy: the severest reason decides, and without any the report is allowed."""
    policy = named.policy
    missing = list(_not_covered(report, named))
    reasons = [
        *(_reason(judged) for judged in judge(report, named) if judged.decision != "allow"),
        *(reason for reason in _errors(report, policy) if reason.decision != "allow"),
        *(reason for _, reason in missing if reason.decision != "allow"),
    ]
    return Verdict(
        decision=severest(reason.decision for reason in reasons),
        policy=policy.name,
        policy_version=policy.version,
        policy_sha256=named.sha256,
        reasons=sorted(reasons, key=lambda reason: (-DECISIONS.index(reason.decision), reason.start_seconds)),
        not_covered=[entry for entry, _ in missing],
        severity=severities(report.domains),
    )


def severest(decisions: Iterable[Decision]) -> Decision:
    """Return the severest decision; allow where there is none."""
    return max(decisions, key=DECISIONS.index, default="allow")


def judge(report: Report, named: NamedPolicy) -> Iterator[Judged]:
    """Yield what the policy says of every segment that it has a rule for, in the order of the report."""
    for domain, rules in named.policy.domains.items():
        if domain not in report.domains:
            continue
        vocabulary = named.vocabularies.get(domain, {})
        for rest in rests(report.domains[domain].segments, rules, vocabulary):
            place, rule = _rule_for(rest.segment.label, rules, vocabulary)
            if rule is not None:
                yield _judged(report, named.policy, domain, rest, place, rule)


def _rule_for(label: str, rules: DomainRules, vocabulary: Vocabulary) -> tuple[str, Rule | None]:
    """Return where the nearest rule stands, and it: the label's own, its parents', its level's, that of any label."""
    name = named_for(label, rules, vocabulary)
    if name is not None:
        return f"labels.{name}", rules.labels[name]
    level = vocabulary.get(label, Known()).level
    if level in rules.levels:
        return f"levels.{level}", rules.levels[level]
    return "any", rules.any


def _judged(report: Report, policy: Policy, domain: str, rest: Rest, place: str, rule: Rule) -> Judged:
    decision, threshold, why_not = _outcome(report, policy, policy.domains[domain], rest, rule)
    words = f"{domain}.{place}: {_words(rule)}"
    return Judged(domain, rest.segment, decision, words, threshold, why_not, rest.without)


def _outcome(
    report: Report, policy: Policy, rules: DomainRules, rest: Rest, rule: Rule
) -> tuple[Decision, float | None, str]:
    """Return decision, reached threshold and the reason of an allowance."""
    if not rule.decides:
        return "allow", None, "the rule allows it"
    if rest.is_empty:
        return "allow", None, "nothing else was seen"
    segment = rest.segment
    hint = segment.status == "hint"
    if hint and (rules.hints or policy.hints) == "ignore":
        return "allow", None, "a hint (weak evidence), and hints are ignored"
    least_seconds = _first(rule.min_seconds, rules.min_seconds, policy.min_seconds)
    seconds = segment.end_seconds - segment.start_seconds
    if report.media.kind in ("video", "audio") and seconds < least_seconds:
        return "allow", None, f"{seconds:.2f} s is shorter than {least_seconds:g} s"
    confidence = segment.peak_confidence
    if rule.block is not None and confidence >= rule.block:
        return ("review" if hint else "block"), rule.block, ""
    if rule.review is not None and confidence >= rule.review:
        return "review", rule.review, ""
    lowest = _first(rule.review, rule.block)
    return "allow", None, f"{confidence:.2f} is below {lowest:g}"


def _first(*values: float | None) -> float:
    """Return the first value that is given."""
    return next(value for value in values if value is not None)


def _words(rule: Rule) -> str:
    """Return a rule as a policy writes it."""
    written = ", ".join(f"{key}: {value}" for key, value in rule.model_dump(exclude_none=True).items())
    return f"{{{written}}}" if written else "allow"


def _reason(judged: Judged) -> Reason:
    segment = judged.segment
    return Reason(
        decision=judged.decision,
        rule=judged.rule,
        domain=judged.domain,
        label=segment.label,
        start_seconds=segment.start_seconds,
        end_seconds=segment.end_seconds,
        confidence=segment.peak_confidence,
        threshold=judged.threshold,
        item=getattr(segment, "item", None),
        item_id=getattr(segment, "item_id", None),
    )


def _errors(report: Report, policy: Policy) -> Iterator[Reason]:
    """Yield why the analysis itself keeps the report from being allowed."""
    ended = policy.on_incomplete
    for error in report.errors:
        if error.domain is None:  # the whole analysis ended early
            yield _whole(report, ended, "incomplete", f"on_incomplete: {ended}", "", error.type)
            continue
        rules = policy.domains.get(error.domain)
        decision = (rules.on_error if rules else None) or policy.on_error
        yield _whole(report, decision, "error", f"on_error: {decision}", error.domain, error.type)
    if report.decode.truncated or (report.sound is not None and report.sound.truncated):
        yield _whole(report, ended, "incomplete", f"on_incomplete: {ended}", "", "broken off")
    unseen = policy.on_unseen_streams
    for stream in report.media.unseen_streams or ():
        yield _whole(report, unseen, "incomplete", f"on_unseen_streams: {unseen}", "", stream)


def _not_covered(report: Report, named: NamedPolicy) -> Iterator[tuple[NotCovered, Reason]]:
    """Yield what the policy relies on and nothing looked for; the error of a failed domain says more than this."""
    failed = {error.domain for error in report.errors}
    for domain, rules in named.policy.domains.items():
        if domain in failed:
            continue
        vocabulary = named.vocabularies.get(domain, {})
        relied = {
            label: rule.on_not_covered or rules.on_not_covered or named.policy.on_not_covered
            for label, rule in _relied_on(rules, vocabulary).items()
        }
        if domain not in report.domains:
            own = rules.on_not_covered or named.policy.on_not_covered
            relied = {EVERY_LABEL: severest(relied.values()) if relied else own}
        for label, decision in relied.items():
            why = why_not_covered(report, domain, label, vocabulary, rules.hints or named.policy.hints)
            if why and why not in (NO_PICTURE, NO_SOUND):  # what the media cannot show needs no looking for
                words = f"{domain}.on_not_covered: {decision}"
                reason = _whole(report, decision, "not covered", words, domain, label)
                yield NotCovered(domain=domain, label=label, reason=why), reason


def _relied_on(rules: DomainRules, vocabulary: Vocabulary) -> dict[str, Rule]:
    """Return the labels that can decide: those that are named, and those that have the rule of a level or of any."""
    relied = {label: rule for label, rule in rules.labels.items() if rule.decides}
    for label in vocabulary or (EVERY_LABEL,):  # without a list of them, levels and any are about every one
        place, rule = _rule_for(label, rules, vocabulary)
        if rule is not None and rule.decides and not place.startswith("labels."):
            relied[label] = rule
    return relied


def _whole(report: Report, decision: Decision, kind: Kind, rule: str, domain: str, label: str) -> Reason:
    """Return a reason that is about the media as a whole."""
    return Reason(
        decision=decision,
        kind=kind,
        rule=rule,
        domain=domain,
        label=label,
        start_seconds=0.0,
        end_seconds=report.media.duration_seconds or 0.0,
        confidence=1.0,
    )
