"""What a person is asked about: the flagged stretches of time of a report, each once, in time order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, get_args

from model_zoo.moderation.schema import ModerationPart, ModerationSegment
from model_zoo.report import Report, Segment, Status
from model_zoo.toxicity.schema import OVERALL, ToxicityPart
from model_zoo.verdict import Decision
from serve.overlaps import Stretch, covers, joined
from serve.review.parts import part_of

Key = tuple[str, str, float, float, int]  # domain, label, start and end in seconds, item or -1

# the domains whose every segment says that something may be wrong
FLAGGING = ("moderation", "toxicity")

STATUSES: tuple[Status, ...] = get_args(Status)  # the surer first
Covered = Mapping[tuple[Hashable, Status], Sequence[Stretch]]  # when something at least so sure says more, by place


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
    others = _decisive(report)
    for reason in report.verdict.reasons if report.verdict else []:
        key = key_of(reason.domain, reason)
        finding = (found.get(key) or others.get(key)) if reason.kind == "segment" else None
        if finding is not None:
            found[key] = replace(finding, verdict=reason.decision, rule=reason.rule)
    return sorted(found.values(), key=lambda finding: (finding.start_seconds, finding.end_seconds, finding.key))


def veiled(report: Report) -> list[Stretch]:
    """Return the stretches whose picture is hidden until somebody asks for it, in time order, none overlapping.

    Every flagged segment hides, also one that says less than another and is no finding. A sample speaks for the time
    up to its neighbours, so that a stretch reaches one interval further at both ends. What was not analyzed is hidden,
    and everything where a domain that flags has failed: nothing is known of it.
    """
    flagged = [
        *(_finding("moderation", segment) for segment in part_of(report, "moderation", ModerationPart).segments),
        *(_finding("toxicity", segment) for segment in part_of(report, "toxicity", ToxicityPart).segments),
        *(finding for finding in _decisive(report).values() if finding.domain not in FLAGGING),
    ]
    hidden = [
        (max(0.0, finding.start_seconds - finding.sample_seconds), finding.end_seconds + finding.sample_seconds)
        for finding in flagged
        if finding.is_seen
    ]
    beyond = length_seconds(report) + 1.0
    if any(error.domain in FLAGGING for error in report.errors):
        hidden.append((0.0, beyond))
    elif report.decode.truncated or any(error.domain is None for error in report.errors):
        hidden.append((report.decode.analyzed_seconds, beyond))
    return joined(hidden)


def length_seconds(report: Report) -> float:
    """Return how long the media is: as long as anything in the report reaches."""
    ends = [segment.end_seconds for part in report.domains.values() for segment in part.segments]
    heard = report.sound.heard_seconds if report.sound else 0.0
    return max([report.media.duration_seconds or 0.0, report.decode.analyzed_seconds, heard, *ends])


def _moderation(report: Report) -> Iterator[Finding]:
    segments = part_of(report, "moderation", ModerationPart).segments
    parents = {segment.label: segment.parent for segment in segments}
    children = _covered((segment.parent, segment) for segment in segments)
    for segment in segments:
        if _says_less(segment, segment.label, children):
            continue
        evidence = tuple(
            f"{item.source}: {item.label} {item.confidence:.2f} ({item.grade})" for item in segment.evidence
        )
        yield replace(_finding("moderation", segment), path=_path(segment, parents), evidence=evidence)


def _toxicity(report: Report) -> Iterator[Finding]:
    segments = part_of(report, "toxicity", ToxicityPart).segments
    keys = _covered(((segment.origin, segment.item), segment) for segment in segments if segment.label != OVERALL)
    for segment in segments:
        if segment.label != OVERALL or not _says_less(segment, (segment.origin, segment.item), keys):
            yield _finding("toxicity", segment)


def _covered(placed: Iterable[tuple[Hashable, Segment]]) -> Covered:
    stretches: dict[tuple[Hashable, Status], list[Stretch]] = defaultdict(list)
    for place, segment in placed:
        for status in STATUSES[STATUSES.index(segment.status) :]:
            stretches[place, status].append((segment.start_seconds, segment.end_seconds))
    return {place: joined(several) for place, several in stretches.items()}


def _says_less(segment: Segment, place: Hashable, covered: Covered) -> bool:
    """Say whether more precise segments tell all of it: at every time, and of a finding no mere hints."""
    return covers(covered.get((place, segment.status), ()), segment.start_seconds, segment.end_seconds)


def _decisive(report: Report) -> dict[Key, Finding]:
    """Return the segments of any domain that the verdict rests on."""
    reasons = [reason for reason in report.verdict.reasons if reason.kind == "segment"] if report.verdict else []
    keys = {key_of(reason.domain, reason) for reason in reasons}
    found: dict[Key, Finding] = {}
    for domain in {reason.domain: None for reason in reasons if reason.domain in report.domains}:
        for segment in report.domains[domain].segments:
            key = key_of(domain, segment)
            if key in keys and key not in found:
                found[key] = _finding(domain, segment)
    return found


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
