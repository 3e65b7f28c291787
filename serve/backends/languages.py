"""Which language each row of speech is in: what is heard where that is sure, else what its file is mostly spoken in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model_zoo.transcription.hearing import SURE_OF_LANGUAGE


@dataclass(frozen=True, slots=True)
class Language:
    """What a row is spoken in, ISO 639-1."""

    code: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one row before it is listened to."""

    file_number: int  # rows of one number are of one file; others have no say in its language
    seconds: float
    wanted: str  # a code, or "" to find it out


class Habits:
    """How many seconds of each file are surely in each language: of what was heard before, and of the rows so far."""

    def __init__(self, rows: Sequence[Row], usual: Sequence[str], usual_seconds: Sequence[float]) -> None:
        """Begin with the usual language of each row's file and the seconds for which it was heard."""
        self._seconds: dict[int, dict[str, float]] = {}
        for row, code, seconds in zip(rows, usual, usual_seconds, strict=True):
            if code:
                self._seconds[row.file_number] = {code: seconds}

    def decide(self, rows: Sequence[Row], heard: Sequence[Mapping[str, float]]) -> list[Language]:
        """Return the language of each row, by how likely each is in it, best first; remembers nothing."""
        seconds = {file_number: dict(codes) for file_number, codes in self._seconds.items()}
        for row, likely in zip(rows, heard, strict=True):
            best = next(iter(likely))
            _count(seconds, row, Language(best, likely[best]))
        languages = []
        for row, likely in zip(rows, heard, strict=True):
            best = next(iter(likely))
            spoken = seconds.get(row.file_number, {})
            habit = max(spoken, key=spoken.__getitem__, default=best)
            code = row.wanted or (best if likely[best] >= SURE_OF_LANGUAGE else habit)
            languages.append(Language(code, 1.0 if row.wanted else likely[code]))
        return languages

    def remember(self, rows: Sequence[Row], languages: Sequence[Language]) -> None:
        """Count what was heard for the rows that come."""
        for row, language in zip(rows, languages, strict=True):
            _count(self._seconds, row, language)


def _count(seconds: dict[int, dict[str, float]], row: Row, language: Language) -> None:
    if language.confidence >= SURE_OF_LANGUAGE:
        spoken = seconds.setdefault(row.file_number, {})
        spoken[language.code] = spoken.get(language.code, 0.0) + row.seconds
