"""What toxic language makes of a video: a label of our own, and support for what was seen, nothing more."""

from __future__ import annotations

import time

import pytest

from model_zoo import moderation
from model_zoo.domain import Summary
from model_zoo.moderation.schema import ModerationPart
from model_zoo.ops.time import segment_fields
from model_zoo.report import Coverage, DomainPart, ModelFacts, Segment
from model_zoo.text.schema import TextPart
from model_zoo.toxicity.schema import Key, Origin, ToxicityPart, ToxicitySegment
from model_zoo.values import Span

READ = TextPart(coverage=[Coverage(label="text", grade="trained detector")])
CLASSIFIER = ModelFacts(
    role="classifier", name="toxic_bilstm", sha256="", licence="MIT", backend="", device="", device_reason=""
)
KNOWN = [Coverage(label="hate_speech", grade="trained classifier"), Coverage(label="graphic", grade="not covered")]


def span(start_seconds: float, end_seconds: float) -> Span:
    return Span(start_seconds, end_seconds, start_seconds, 0.8, 0.8, 1)


def toxic(key: Key, origin: Origin, start_seconds: float = 3.0, end_seconds: float = 5.0) -> dict[str, DomainPart]:
    fields = segment_fields(span(start_seconds, end_seconds))
    segment = ToxicitySegment(label=key, origin=origin, **fields)
    return {"text": READ, "toxicity": ToxicityPart(segments=[segment], coverage=KNOWN, models=[CLASSIFIER])}


def heard(label: str, start_seconds: float, end_seconds: float) -> dict[str, DomainPart]:
    return {"sounds": DomainPart(segments=[Segment(label=label, **segment_fields(span(start_seconds, end_seconds)))])}


def part_of(parts: dict[str, DomainPart]) -> ModerationPart:
    return moderation.summarize(Summary({}, {}, 1.0, 10.0, 640, 360, parts))


def test_hateful_writing_on_the_screen_is_a_finding_of_our_own_namespace() -> None:
    (segment,) = part_of(toxic("hate_speech", "screen")).segments
    assert (segment.label, segment.parent, segment.level) == ("x:Visible hate text", None, 1)
    assert (segment.status, segment.grade, segment.start_seconds, segment.end_seconds) == (
        "finding",
        "trained classifier",
        3,
        5,
    )
    (evidence,) = segment.evidence
    assert (evidence.source, evidence.label) == ("toxicity/toxic_bilstm", "hate_speech on the screen")


@pytest.mark.parametrize(
    ("key", "origin"),
    [
        ("hate_speech", "speech"),
        ("violence_or_threat", "speech"),
        ("violence_or_threat", "screen"),
        ("sexual", "screen"),
        ("profanity", "speech"),
        ("hate_speech", "text"),
    ],
)
def test_other_toxic_language_alone_makes_no_label(key: Key, origin: Origin) -> None:
    assert part_of(toxic(key, origin)).segments == []


def test_a_threat_supports_violence_that_was_heard_at_the_same_time() -> None:
    parts = toxic("violence_or_threat", "speech") | heard("Screaming", 4, 6)
    (segment,) = part_of(parts).segments
    assert (segment.label, segment.status) == ("Violence", "hint")
    assert [item.label for item in segment.evidence] == ["Screaming", "violence_or_threat in speech"]


def test_a_threat_at_another_time_or_beside_another_label_supports_nothing() -> None:
    elsewhere = part_of(toxic("violence_or_threat", "speech") | heard("Screaming", 7, 9)).segments
    beer = {"labels": DomainPart(segments=[Segment(label="beer glass", **segment_fields(span(3, 5)))])}
    otherwise = part_of(toxic("violence_or_threat", "speech") | beer).segments
    assert [len(segment.evidence) for segment in (*elsewhere, *otherwise)] == [1, 1, 1]


def hate_text(parts: dict[str, DomainPart]) -> Coverage:
    return next(entry for entry in part_of(parts).coverage if entry.label == "x:Visible hate text")


def test_coverage_of_hateful_writing_needs_somebody_who_read_and_somebody_who_judged() -> None:
    parts = toxic("insult", "screen")
    assert (hate_text(parts).grade, hate_text(parts).source) == ("trained classifier", "toxicity/toxic_bilstm")
    without = {"toxicity": parts["toxicity"]}
    assert hate_text(without).grade == hate_text({}).grade == "not covered"
    assert "needs the domains text and toxicity" in (hate_text({}).reason or "")


def test_hateful_writing_is_covered_also_where_the_speech_was_in_a_language_that_nobody_knows() -> None:
    unread = Coverage(label="hate_speech", grade="not covered", source="toxicity/toxic_bilstm", reason="speech in de")
    parts = {"text": READ, "toxicity": ToxicityPart(coverage=[unread], models=[CLASSIFIER])}
    assert hate_text(parts).grade == "trained classifier"


def test_hours_of_threats_and_screams_are_put_together_in_time() -> None:
    times = [(4.0 * number, 4.0 * number + 1) for number in range(8_000)]
    said = [toxic("violence_or_threat", "speech", *both)["toxicity"] for both in times]
    sounds = [heard("Screaming", *both)["sounds"] for both in times]
    threats, screams = ([segment for part in parts for segment in part.segments] for parts in (said, sounds))
    toxicity = ToxicityPart(segments=threats, coverage=KNOWN, models=[CLASSIFIER])
    start_seconds = time.monotonic()
    found = part_of({"toxicity": toxicity, "sounds": DomainPart(segments=screams)}).segments
    assert time.monotonic() - start_seconds < 60
    assert len(found) == 8_000
    assert {len(segment.evidence) for segment in found} == {2}
