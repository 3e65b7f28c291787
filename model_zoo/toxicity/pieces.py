"""Gather the pieces of text of one media file: what was said, what stood on the screen, what was given as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from model_zoo.report import DomainPart
from model_zoo.toxicity.schema import Origin
from model_zoo.transcription.schema import TranscriptionPart
from model_zoo.values import GivenText

SPEECH_DOMAIN, SCREEN_DOMAIN = "transcription", "text"
WORDS: Mapping[Origin, str] = {"speech": "speech", "screen": "on-screen text", "text": "text that was given"}


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of text, where it comes from and when it is said or seen."""

    origin: Origin
    text: str
    start_seconds: float = 0.0
    end_seconds: float = 0.0
    language: str | None = None  # ISO 639-1, where it is known
    item: int | None = None  # number among the texts that were given
    item_id: str | None = None  # what the caller calls it


def pieces(parts: Mapping[str, DomainPart], texts: Sequence[GivenText]) -> Iterator[Piece]:
    """Return what there is to rate; blank texts count too, as the first to the last of what was given."""
    speech = parts.get(SPEECH_DOMAIN)
    if isinstance(speech, TranscriptionPart):
        for said in speech.segments:
            yield Piece("speech", said.text, said.start_seconds, said.end_seconds, said.language)
    if SCREEN_DOMAIN in parts:
        for seen in parts[SCREEN_DOMAIN].segments:
            yield Piece("screen", seen.label, seen.start_seconds, seen.end_seconds)
    for item, given in enumerate(texts):
        yield Piece("text", given.text, item=item, item_id=given.id)


def origins(parts: Mapping[str, DomainPart], texts: Sequence[GivenText]) -> list[Origin]:
    """Return where text could have come from; not from speech where there is no sound."""
    found: list[Origin] = []
    for origin, domain in (("speech", SPEECH_DOMAIN), ("screen", SCREEN_DOMAIN)):
        part = parts.get(domain)
        if part and not all(entry.grade == "not covered" for entry in part.coverage):
            found.append("speech" if origin == "speech" else "screen")
    return [*found, "text"] if texts else found
