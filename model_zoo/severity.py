"""How severe a report is in four categories, 0, 2, 4 or 6: the table, and how it is read.

A category is as severe as its severest segment. A hint counts as 2 at most, as weak evidence decides nothing. Where
nothing was found, the severity is 0 only if something better than weak evidence looked for it; else it is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model_zoo.report import DomainPart, Segment

MOST_OF_A_HINT = 2


@dataclass(frozen=True, slots=True)
class Steps:
    """From which peak confidence a label counts how much; None: it never counts so much."""

    at_2: float | None = None
    at_4: float | None = None
    at_6: float | None = None

    def severity(self, confidence: float) -> int:
        """Return 0, 2, 4 or 6."""
        steps = ((6, self.at_6), (4, self.at_4), (2, self.at_2))
        return next((severity for severity, least in steps if least is not None and confidence >= least), 0)


# category -> (domain, label) -> steps. A label's parents carry the same segment, so their rows hold for it too.
TABLE: Mapping[str, Mapping[tuple[str, str], Steps]] = {
    "Hate": {
        ("moderation", "Hate Symbols"): Steps(0.5, 0.7, 0.9),
        ("moderation", "Rude Gestures"): Steps(0.5),
        ("toxicity", "hate_speech"): Steps(0.7, 0.85, 0.95),
        ("toxicity", "harassment_or_abuse"): Steps(0.7, 0.85),
        ("toxicity", "insult"): Steps(0.8),
        ("toxicity", "toxicity"): Steps(0.8),
    },
    "Sexual": {
        ("moderation", "Explicit"): Steps(0.5, 0.7, 0.9),
        ("moderation", "Non-Explicit Nudity of Intimate parts and Kissing"): Steps(0.5, 0.9),
        ("moderation", "Swimwear or Underwear"): Steps(0.8),
        ("toxicity", "sexual"): Steps(0.7, 0.85),
    },
    "Violence": {
        ("moderation", "Violence"): Steps(0.5, 0.8),
        ("moderation", "Graphic Violence"): Steps(0.3, 0.5, 0.9),
        ("moderation", "Visually Disturbing"): Steps(0.5, 0.7, 0.95),
        ("toxicity", "violence_or_threat"): Steps(0.7, 0.85, 0.95),
        ("toxicity", "graphic"): Steps(0.7, 0.85),
    },
    "SelfHarm": {
        ("moderation", "Self-Harm"): Steps(0.3, 0.5, 0.8),
    },
}


def severities(parts: Mapping[str, DomainPart]) -> dict[str, int]:
    """Return category -> severity, of the categories that the report can speak for."""
    found = {}
    for category, rows in TABLE.items():
        severity = max((_severity(parts, place, steps) for place, steps in rows.items()), default=0)
        if severity > 0 or any(_is_looked_for(parts, *place) for place in rows):
            found[category] = severity
    return found


def _is_looked_for(parts: Mapping[str, DomainPart], domain: str, label: str) -> bool:
    entries = parts[domain].coverage if domain in parts else []
    return any(entry.label == label and entry.grade not in ("weak evidence", "not covered") for entry in entries)


def _severity(parts: Mapping[str, DomainPart], place: tuple[str, str], steps: Steps) -> int:
    domain, label = place
    segments = parts[domain].segments if domain in parts else []
    return max((_of_segment(segment, steps) for segment in segments if segment.label == label), default=0)


def _of_segment(segment: Segment, steps: Steps) -> int:
    severity = steps.severity(segment.peak_confidence)
    return min(severity, MOST_OF_A_HINT) if segment.status == "hint" else severity
