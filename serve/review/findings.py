"""What a person is asked about: the flagged stretches of time of a report, each once, in time order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from model_zoo.moderation.schema import ModerationPart, ModerationSegment
from model_zoo.report import Report, Segment
from model_zoo.toxicity.schema import OVERALL, ToxicityPart, ToxicitySegment
from model_zoo.verdict import Decision, Reason
from serve.review.parts import part_of

Key = tuple[str, str, float, float, int]  # domain, label, start and end in seconds, item or -1
Stretch = tuple[float, float]  # start and end in seconds

# the domains whose every segment says that something may be wrong
FLAGGING = ("moderation", "toxicity")


@dataclass(frozen=True, slots=True)
class Finding:
    """A flagged stretch of time."""

    domain: str
    label: str
    start_seconds: float
    end_seconds: float
    peak_seconds: float
    confidence: float  # at the peak
    is_hint: bool
    sample_seconds: float  # how long each of its samples stands for, at least a second
    path: tuple[str, ...] = ()  # the labels above it
    origin: str | None = None  # of toxic language: speech, screen, text
    item: int | None = None  # number of the text that was given
    item_id: str | None = None
    evidence: tuple[str, ...] = ()  # in words
    verdict: Decision | None = None  # what the policy makes of it
    rule: str | None = None  # of the policy

    @property
    def is_seen(self) -> bool:
        """Say whether it can be seen; what is only said cannot."""
        return self.origin not in ("speech", "text")

    @property
    def jump_seconds(self) -> float:
        """Return where to begin to look, which is the surest picture, or to listen."""
        return self.peak_seconds if self.is_seen else self.start_seconds

    @property
    def key(self) -> Key:
        """Return what tells it from every other."""
        return key_of(self.domain, self)


class Placed(Protocol):
    """What has a label and a place in the media: a segment, a reason, a decision, a finding."""

    @property
    def label(self) -> str:
        """Return what it is."""

    @property
    def start_seconds(self) -> float:
        """Return where it begins."""

    @property
    def end_seconds(self) -> float:
        """Return where it ends."""


def key_of(domain: str, placed: Placed) -> Key:
    """Return what tells a finding from every other; of given texts, the item does, too."""
    item = getattr(placed, "item", None)
    return domain, placed.label, placed.start_seconds, placed.end_seconds, -1 if item is None else item


def findings(report: Report) -> list[Finding]:
    """Return the most specific flagged segments, and every segment that the verdict rests on."""
    # of two that only differ in their origin, the one that can be seen stands for both
    flagged = sorted((*_moderation(report), *_toxicity(report)), key=lambda finding: finding.is_seen)
    found = {finding.key: finding for finding in flagged}
    for reason in report.verdict.reasons if report.verdict else []:
        if reason.kind != "segment":
            continue
        key = key_of(reason.domain, reason)
        finding = found.get(key) or _named_by(reason, report)
        if finding is not None:
            found[key] = replace(finding, verdict=reason.decision, rule=reason.rule)
    return sorted(found.values(), key=lambda finding: (finding.start_seconds, finding.end_seconds, finding.key))


def veiled(report: Report) -> list[Stretch]:
    """Return the stretches whose picture is hidden until somebody asks for it, in time order, none overlapping.

    A sample speaks for the time up to its neighbours, so that a stretch reaches one interval further at both ends.
    What was not analyzed is hidden, and everything where a domain that flags has failed: nothing is known of it.
    """
    hidden = [
        (max(0.0, finding.start_seconds - finding.sample_seconds), finding.end_seconds + finding.sample_seconds)
        for finding in findings(report)
        if finding.is_seen
    ]
    beyond = length_seconds(report) + 1.0
    if any(error.domain in FLAGGING for error in report.errors):
        hidden.append((0.0, beyond))
    elif report.decode.truncated or any(error.domain is None for error in report.errors):
        hidden.append((report.decode.analyzed_seconds, beyond))
    joined: list[Stretch] = []
    for start, end in sorted(hidden):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def length_seconds(report: Report) -> float:
    """Return how long the media is: as long as anything in the report reaches."""
    ends = [segment.end_seconds for part in report.domains.values() for segment in part.segments]
    heard = report.sound.heard_seconds if report.sound else 0.0
    return max([report.media.duration_seconds or 0.0, report.decode.analyzed_seconds, heard, *ends])


def _moderation(report: Report) -> Iterator[Finding]:
    segments = part_of(report, "moderation", ModerationPart).segments
    parents = {segment.label: segment.parent for segment in segments}
    for segment in segments:
        if any(other.parent == segment.label and _overlap(segment, other) for other in segments):
            continue  # the label below it says more
        evidence = tuple(
            f"{item.source}: {item.label} {item.confidence:.2f} ({item.grade})" for item in segment.evidence
        )
        yield replace(_finding("moderation", segment), path=_path(segment, parents), evidence=evidence)


def _toxicity(report: Report) -> Iterator[Finding]:
    segments = part_of(report, "toxicity", ToxicityPart).segments
    for segment in segments:
        if segment.label == OVERALL and any(_says_more(other, segment) for other in segments):
            continue
        yield _finding("toxicity", segment)


def _says_more(one: ToxicitySegment, overall: ToxicitySegment) -> bool:
    """Say whether a segment of a single key tells why a text is toxic as a whole."""
    same = (one.origin, one.item) == (overall.origin, overall.item)
    return same and one.label != OVERALL and one.status == "finding" and _overlap(one, overall)


def _named_by(reason: Reason, report: Report) -> Finding | None:
    """Find the segment of any domain that a reason names; None where the report has none like it."""
    part = report.domains.get(reason.domain)
    for segment in part.segments if part else []:
        if key_of(reason.domain, segment) == key_of(reason.domain, reason):
            return _finding(reason.domain, segment)
    return None


def _finding(domain: str, segment: Segment) -> Finding:
    return Finding(
        domain=domain,
        label=segment.label,
        start_seconds=segment.start_seconds,
        end_seconds=segment.end_seconds,
        peak_seconds=segment.peak_seconds,
        confidence=segment.peak_confidence,
        is_hint=segment.status == "hint",
        sample_seconds=max(1.0, (segment.end_seconds - segment.start_seconds) / max(1, segment.frames)),
        origin=getattr(segment, "origin", None),
        item=getattr(segment, "item", None),
        item_id=getattr(segment, "item_id", None),
    )


def _path(segment: ModerationSegment, parents: dict[str, str | None]) -> tuple[str, ...]:
    above: list[str] = []
    label = segment.parent
    while label is not None and label not in above:
        above.insert(0, label)
        label = parents.get(label)
    return tuple(above)


def _overlap(one: Segment, other: Segment) -> bool:
    return (one.start_seconds < other.end_seconds and other.start_seconds < one.end_seconds) or (
        one.start_seconds == other.start_seconds
    )
