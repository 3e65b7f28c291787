"""Speech cut into subtitles that can be read in time."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from model_zoo.report import Report
from model_zoo.transcription.schema import SpeechSegment, TranscriptionPart, Word

DOMAIN = "transcription"
MOST_LINE_CHARACTERS = 42
MOST_LINES = 2
MOST_SECONDS = 7.0
LEAST_SECONDS = 0.001  # a cue without any duration is no cue to many players

# Control characters, and those that turn the direction of what follows
ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]+")


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: lines of plain text, without anything that a subtitle format could take for its own."""

    start_seconds: float
    end_seconds: float
    lines: tuple[str, ...]
    speaker: str | None


def cues(report: Report) -> list[Cue]:
    """Return the subtitles of the speech, in time order."""
    found = [cue for segment in speech(report) for cue in _of_segment(segment)]
    return sorted(found, key=lambda cue: (cue.start_seconds, cue.end_seconds))


def speech(report: Report) -> list[SpeechSegment]:
    """Return the stretches of speech of a report."""
    part = report.domains.get(DOMAIN)
    return list(part.segments) if isinstance(part, TranscriptionPart) else []


def plain(text: str) -> str:
    """Return text on one line, without control characters."""
    return " ".join(ODD.sub(" ", text).split())


def _of_segment(segment: SpeechSegment) -> Iterator[Cue]:
    words = [word for word in segment.words if plain(word.text)]
    if not words:
        yield from _cue(segment.start_seconds, segment.end_seconds, plain(segment.text), segment.speaker)
    for group in _groups(words):
        text = " ".join(plain(word.text) for word in group)
        yield from _cue(group[0].start_seconds, group[-1].end_seconds, text, segment.speaker)


def _groups(words: list[Word]) -> Iterator[list[Word]]:
    """Cut words where a subtitle would be too long to show or to read."""
    group: list[Word] = []
    for word in words:
        text = " ".join(plain(item.text) for item in [*group, word])
        if group and (len(_lines(text)) > MOST_LINES or word.end_seconds - group[0].start_seconds > MOST_SECONDS):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _cue(start_seconds: float, end_seconds: float, text: str, speaker: str | None) -> Iterator[Cue]:
    if text:
        end_seconds = max(end_seconds, start_seconds + LEAST_SECONDS)
        yield Cue(start_seconds, end_seconds, _lines(text), speaker)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(textwrap.wrap(text, MOST_LINE_CHARACTERS, break_on_hyphens=False))
