"""What is left of a verdict when a person has rejected some of the segments that it rests on."""

from __future__ import annotations

from model_zoo.verdict import Decision, Review, ReviewedSegment, Verdict
from serve.policy.decide import severest
from serve.review.findings import Key, key_of


def rejected(review: Review | None) -> dict[Key, ReviewedSegment]:
    """Return what a person found wrong, by what tells it from other findings."""
    items = review.segments if review else []
    return {key_of(item.domain, item): item for item in items if item.decision == "reject"}


def outcome(verdict: Verdict, review: Review) -> Decision:
    """Return the decision of the reasons that no person rejected: a rule looks at one segment, never at two."""
    wrong = rejected(review)
    return severest(
        reason.decision
        for reason in verdict.reasons
        if reason.kind != "segment" or key_of(reason.domain, reason) not in wrong
    )
