"""Speech cut into subtitles that can be read in time."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

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
    spoken = _spoken(segment)
    if not spoken:
        yield from _cue(segment.start_seconds, segment.end_seconds, plain(segment.text), segment.speaker)
    for group in _groups(spoken):
        text = plain("".join(word.text for word in group))
        yield from _cue(group[0].start_seconds, group[-1].end_seconds, text, segment.speaker)


def _spoken(segment: SpeechSegment) -> list[Word]:
    """Return the words, each with the spaces that stand after it in the text: not every language has any."""
    words = [word for word in segment.words if plain(word.text)]
    places, place = [], 0
    for word in words:
        place = segment.text.find(word.text, place)
        if place < 0:  # the text is not made of these words
            return [word.model_copy(update={"text": f"{word.text} "}) for word in words]
        places.append(place)
        place += len(word.text)
    edges = [0, *places[1:], len(segment.text)]
    texts = [segment.text[start:end] for start, end in pairwise(edges)] if words else []
    return [word.model_copy(update={"text": text}) for word, text in zip(words, texts, strict=True)]


def _groups(words: list[Word]) -> Iterator[list[Word]]:
    """Cut words where a subtitle would be too long to show or to read."""
    group: list[Word] = []
    for word in words:
        text = plain("".join(item.text for item in [*group, word]))
        start = group[0].start_seconds if group else word.start_seconds
        if group and (len(_lines(text)) > MOST_LINES or word.end_seconds - start > MOST_SECONDS):
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
