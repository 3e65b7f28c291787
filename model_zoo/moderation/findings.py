"""From what single models saw to segments of the taxonomy: fuse, carry upwards, unite."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from model_zoo.domain import Summary
from model_zoo.manifest import ModelSpec
from model_zoo.moderation.language import THREATENED, VISIBLE_HATE_TEXT, threats, visible_hate
from model_zoo.moderation.schema import ContentTypeSegment, ModerationSegment
from model_zoo.moderation.signals import BOX_SIGNALS, CONTENT_SIGNALS, FRAME_SIGNALS, GRADES, OTHER_DOMAINS, Signal
from model_zoo.moderation.sources import source_of
from model_zoo.moderation.taxonomy import ALL_LABELS, with_ancestors
from model_zoo.ops.boxes import box_shares
from model_zoo.ops.time import (
    Apart,
    Seconds,
    SpanRule,
    box_series,
    moment_fields,
    score_series,
    segment_fields,
    spans,
    within,
)
from model_zoo.report import DomainPart, Evidence, Segment, Status, TrackPoint
from model_zoo.values import Prediction, Scores, Span

# Harmless video decided these: what it reached is in README.md
HOLD_SECONDS = 1.5
MERGE_GAP_SECONDS = 2.0
FINDING_RULE = SpanRule(0.7, 0.45, HOLD_SECONDS, MERGE_GAP_SECONDS)
PART_RULE = SpanRule(0.6, 0.4, HOLD_SECONDS, MERGE_GAP_SECONDS)
HINT_RULE = SpanRule(0.8, 0.6, HOLD_SECONDS, MERGE_GAP_SECONDS)
CONTENT_RULE = SpanRule(0.9, 0.7, HOLD_SECONDS, MERGE_GAP_SECONDS)
LEAST_SCORE = 1e-6  # instead of 0, which has no logarithm


@dataclass(frozen=True, slots=True)
class Seen:
    """A span of time in which one label of the taxonomy was seen, and what that rests on."""

    label: str
    span: Span
    threshold: float | None  # None where another domain decided
    evidence: tuple[Evidence, ...]
    regions: tuple[TrackPoint, ...] = ()

    @property
    def status(self) -> Status:
        """Tell a finding from a hint: only weak evidence makes a hint."""
        return "hint" if all(item.grade == "weak evidence" for item in self.evidence) else "finding"


@dataclass(frozen=True, slots=True)
class Series:
    """The scores of one signal over the frames that its model saw."""

    signal: Signal
    source: str  # domain/model
    seconds: Seconds  # (T,)
    scores: Scores  # (T,)


def segments(summary: Summary) -> list[ModerationSegment]:
    """Return the findings and hints of one media file, in time order, parents before children."""
    parts = summary.parts
    seen = [*_in_frames(summary), *_in_boxes(summary), *_in_other_domains(parts), *_in_writing(parts)]
    grouped: dict[tuple[str, Status], list[Seen]] = defaultdict(list)
    for item in seen:
        for name in with_ancestors(item.label):
            regions = item.regions if name == item.label else ()
            grouped[name, item.status].append(replace(item, label=name, regions=regions))
    found = []
    for label in ALL_LABELS:
        findings = _united(grouped[label, "finding"])
        hints = _united(grouped[label, "hint"])
        found += [_supported(finding, beside) for finding, beside in _beside(findings, hints)]
        found += [hint for hint, beside in _beside(hints, findings) if _stands_alone(hint, beside)]
    found = _threatened(found, parts)
    places = {label: place for place, label in enumerate(ALL_LABELS)}
    found.sort(key=lambda item: (item.span.start_seconds, places[item.label]))
    return [_segment(item) for item in found]


def content_types(summary: Summary) -> list[ContentTypeSegment]:
    """Return when the picture looked animated or illustrated."""
    return [
        ContentTypeSegment(label=item.signal.label, grade=item.signal.grade, **segment_fields(span))
        for item in _frame_series(summary, CONTENT_SIGNALS)
        for span in _spans(item, CONTENT_RULE, summary)
    ]


def _in_frames(summary: Summary) -> Iterable[Seen]:
    """Turn scores of whole frames into what was seen; classifiers of one label must agree."""
    trained: dict[str, list[Series]] = defaultdict(list)
    for item in _frame_series(summary, FRAME_SIGNALS):
        if item.signal.grade == "weak evidence":
            yield from (_seen(item, span, HINT_RULE) for span in _spans(item, HINT_RULE, summary))
        else:
            trained[item.signal.label].append(item)
    for label, several in trained.items():
        seconds, scores = _agreed(several)
        for span in spans(seconds, scores, FINDING_RULE, summary.step_seconds, summary.duration_seconds):
            evidence = tuple(_evidence(item, span) for item in several)
            yield Seen(label, span, FINDING_RULE.open_at, evidence)


def _in_boxes(summary: Summary) -> Iterable[Seen]:
    """Turn boxes into what was seen and where."""
    for role, predictions in summary.predictions.items():
        spec = summary.models[role]
        seconds, series = box_series(predictions)
        for signal in BOX_SIGNALS.get(spec.decoder, ()):
            own = signal.own_labels[0]
            item = Series(signal, _source(spec), seconds, series.get(own, np.zeros(len(seconds), np.float32)))
            for span in _spans(item, PART_RULE, summary):
                regions = _regions(predictions[within(seconds, span)], own, summary)
                yield replace(_seen(item, span, PART_RULE), regions=regions)


def _in_other_domains(parts: Mapping[str, DomainPart]) -> Iterable[Seen]:
    """Turn things that other domains named into what was seen."""
    for domain, meanings in OTHER_DOMAINS.items():
        if domain not in parts:
            continue
        for segment in parts[domain].segments:
            if segment.label in meanings:
                evidence = Evidence(
                    source=source_of(domain, parts[domain]),
                    label=segment.label,
                    confidence=segment.peak_confidence,
                    grade="weak evidence",
                )
                yield Seen(meanings[segment.label], _span_of(segment), None, (evidence,))


def _in_writing(parts: Mapping[str, DomainPart]) -> Iterable[Seen]:
    """Turn hateful writing on the screen into what was seen."""
    for segment, evidence in visible_hate(parts):
        yield Seen(VISIBLE_HATE_TEXT, _span_of(segment), None, (evidence,))


def _threatened(found: list[Seen], parts: Mapping[str, DomainPart]) -> list[Seen]:
    """Add the threats that were made at the time to what was seen of violence."""
    made: dict[str, list[Seen]] = defaultdict(list)  # those in speech and those on the screen: one at a time
    for segment, evidence in threats(parts):
        made[evidence.label].append(Seen(THREATENED, _span_of(segment), None, (evidence,)))
    for several in made.values():
        found = [
            _supported(item, beside) if THREATENED in with_ancestors(item.label) else item
            for item, beside in _beside(found, several)
        ]
    return found


def _frame_series(summary: Summary, signals: Mapping[str, Sequence[Signal]]) -> Iterable[Series]:
    for role, predictions in summary.predictions.items():
        spec = summary.models[role]
        seconds, series = score_series(predictions)
        for signal in signals.get(spec.decoder, ()):
            if series:
                added: Scores = np.stack([series[own] for own in signal.own_labels]).sum(axis=0)  # (T,)
                yield Series(signal, _source(spec), seconds, added)


def _source(spec: ModelSpec) -> str:
    return f"{spec.domain}/{spec.name}"


def _spans(item: Series, rule: SpanRule, summary: Summary) -> list[Span]:
    return spans(item.seconds, item.scores, rule, summary.step_seconds, summary.duration_seconds)


def _agreed(several: Sequence[Series]) -> tuple[Seconds, Scores]:
    """Return the weighted geometric mean over the models that saw each frame: one that is sure of 0 prevails."""
    seconds = np.unique(np.concatenate([item.seconds for item in several]))  # (T,)
    logs, weights = np.zeros(len(seconds)), np.zeros(len(seconds))
    for item in several:
        rows = np.searchsorted(seconds, item.seconds)
        logs[rows] += item.signal.weight * np.log(np.maximum(item.scores, LEAST_SCORE))
        weights[rows] += item.signal.weight
    return seconds, np.exp(logs / weights).astype(np.float32)


def _seen(item: Series, span: Span, rule: SpanRule) -> Seen:
    return Seen(item.signal.label, span, rule.open_at, (_evidence(item, span),))


def _evidence(item: Series, span: Span) -> Evidence:
    """Return the best that the model said within the span."""
    best = float(item.scores[within(item.seconds, span)].max(initial=0.0))
    return Evidence(
        source=item.source,
        label=" + ".join(item.signal.own_labels),
        confidence=min(1.0, round(best, 4)),
        grade=item.signal.grade,
    )


def _regions(predictions: Sequence[Prediction], own: str, summary: Summary) -> tuple[TrackPoint, ...]:
    """Return the best box of each frame that has one."""
    points = []
    for prediction in predictions:
        boxes = [box for box in prediction.boxes if box.label == own]
        if boxes:
            best = max(boxes, key=lambda box: box.confidence)
            points.append(
                TrackPoint(
                    seconds=round(prediction.seconds, 6),
                    confidence=round(best.confidence, 4),
                    box=box_shares(best, summary.width, summary.height),
                )
            )
    return tuple(points)


def _span_of(segment: Segment) -> Span:
    return Span(
        start_seconds=segment.start_seconds,
        end_seconds=segment.end_seconds,
        peak_seconds=segment.peak_seconds,
        peak=segment.peak_confidence,
        mean=segment.mean_confidence,
        frames=segment.frames,
    )


def _united(several: Sequence[Seen]) -> list[Seen]:
    """Unite what was seen of one label at the same time or shortly after each other, in time order."""
    groups: list[list[Seen]] = []
    end_seconds = 0.0  # of the last group
    for item in sorted(several, key=lambda item: item.span.start_seconds):
        if groups and item.span.start_seconds - end_seconds <= MERGE_GAP_SECONDS:
            groups[-1].append(item)
            end_seconds = max(end_seconds, item.span.end_seconds)
        else:
            groups.append([item])
            end_seconds = item.span.end_seconds
    return [_union(group) if len(group) > 1 else group[0] for group in groups]


def _union(group: Sequence[Seen]) -> Seen:
    moments: dict[float, float] = {}
    for seconds, score in (moment for item in group for moment in item.span.moments):
        moments[seconds] = max(score, moments.get(seconds, 0.0))
    span = reduce(_union_span, (item.span for item in group))
    return Seen(
        group[0].label,
        replace(span, moments=tuple(sorted(moments.items()))),
        max(group, key=lambda item: item.span.peak).threshold,
        _merged_evidence(evidence for item in group for evidence in item.evidence),
        tuple(sorted((point for item in group for point in item.regions), key=lambda point: point.seconds)),
    )


def _union_span(one: Span, other: Span) -> Span:
    """Unite two spans, but not their moments: at the same time the higher mean counts, else the mean of both."""
    frames, mean = max(one.frames, other.frames), max(one.mean, other.mean)
    if not _overlap(one, other):
        frames = one.frames + other.frames
        mean = (one.mean * one.frames + other.mean * other.frames) / frames
    better = max(one, other, key=lambda span: span.peak)
    return Span(
        start_seconds=min(one.start_seconds, other.start_seconds),
        end_seconds=max(one.end_seconds, other.end_seconds),
        peak_seconds=better.peak_seconds,
        peak=better.peak,
        mean=mean,
        frames=frames,
    )


def _overlap(one: Span, other: Span) -> bool:
    return one.start_seconds < other.end_seconds and other.start_seconds < one.end_seconds


def _merged_evidence(several: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Keep the best of each source and label."""
    best: dict[tuple[str, str], Evidence] = {}
    for item in several:
        key = item.source, item.label
        if key not in best or best[key].confidence < item.confidence:
            best[key] = item
    return tuple(best.values())


def _beside(several: Sequence[Seen], others: Sequence[Seen]) -> Iterator[tuple[Seen, list[Seen]]]:
    """Yield each with the others at the same time; those do not overlap each other, and are in time order."""
    apart = Apart([other.span for other in others])
    for item in several:
        numbers = apart.overlapping(item.span.start_seconds, item.span.end_seconds)
        yield item, [others[number] for number in numbers]


def _stands_alone(hint: Seen, findings: Sequence[Seen]) -> bool:
    """Tell whether a hint goes on beyond the findings at its time, in time order, for longer than gaps are closed."""
    starts = [hint.span.start_seconds, *(finding.span.end_seconds for finding in findings)]
    ends = [*(finding.span.start_seconds for finding in findings), hint.span.end_seconds]
    beyond = max(end - start for start, end in zip(starts, ends, strict=True))
    return not findings or beyond > MERGE_GAP_SECONDS


def _supported(item: Seen, beside: Sequence[Seen]) -> Seen:
    """Add the evidence of what was seen, or said, at the same time."""
    more = (evidence for other in beside for evidence in other.evidence)
    return replace(item, evidence=_merged_evidence((*item.evidence, *more)))


def _segment(item: Seen) -> ModerationSegment:
    grades = [
        evidence.grade for evidence in item.evidence if item.status == "hint" or evidence.grade != "weak evidence"
    ]
    label = ALL_LABELS[item.label]
    return ModerationSegment(
        label=item.label,
        parent=label.parent,
        level=label.level,
        status=item.status,
        grade=min(grades, key=GRADES.index),
        threshold=item.threshold,
        evidence=list(item.evidence),
        regions=list(item.regions),
        **segment_fields(item.span),
        **moment_fields(item.span),
    )
