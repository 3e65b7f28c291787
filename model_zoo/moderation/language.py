"""What toxic language says for moderation: hateful writing is to be seen, threats only support what was seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from model_zoo.moderation.sources import source_of
from model_zoo.report import Coverage, DomainPart, Evidence, Grade, Segment
from model_zoo.toxicity.schema import ToxicitySegment

VISIBLE_HATE_TEXT = "x:Visible hate text"
DOMAINS = ("text", "toxicity")  # what it takes to see hateful writing
HATE_GRADE: Grade = "trained classifier"
THREATENED = "Violence"  # threats support this label and those below it, and never stand alone


def visible_hate(parts: Mapping[str, DomainPart]) -> Iterator[tuple[Segment, Evidence]]:
    """Return when hateful writing stood on the screen."""
    for segment in _segments(parts):
        if (segment.origin, segment.label) == ("screen", "hate_speech"):
            yield segment, _evidence(parts, segment, HATE_GRADE)


def threats(parts: Mapping[str, DomainPart]) -> Iterator[tuple[Segment, Evidence]]:
    """Return when somebody threatened violence, in speech or on the screen."""
    for segment in _segments(parts):
        if segment.label == "violence_or_threat" and segment.origin != "text":
            yield segment, _evidence(parts, segment, "weak evidence")


def hate_text_coverage(parts: Mapping[str, DomainPart]) -> Coverage:
    """Return how well hateful writing is covered; the screen may be judged where speech was not understood."""
    covers = {
        domain: {entry.label for entry in parts[domain].coverage if entry.grade != "not covered" or entry.source}
        for domain in DOMAINS
        if domain in parts
    }
    if "hate_speech" in covers.get("toxicity", ()) and covers.get("text"):
        source = source_of("toxicity", parts["toxicity"])
        return Coverage(label=VISIBLE_HATE_TEXT, grade=HATE_GRADE, source=source)
    reason = f"needs the domains {' and '.join(DOMAINS)}, which did not run or had nothing to go by"
    return Coverage(label=VISIBLE_HATE_TEXT, grade="not covered", reason=reason)


def _segments(parts: Mapping[str, DomainPart]) -> Iterator[ToxicitySegment]:
    part = parts.get("toxicity")
    yield from (segment for segment in part.segments if isinstance(segment, ToxicitySegment)) if part else ()


def _evidence(parts: Mapping[str, DomainPart], segment: ToxicitySegment, grade: Grade) -> Evidence:
    said = "on the screen" if segment.origin == "screen" else "in speech"
    return Evidence(
        source=source_of("toxicity", parts["toxicity"]),
        label=f"{segment.label} {said}",
        confidence=segment.peak_confidence,
        grade=grade,
    )
