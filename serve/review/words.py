"""What was said and written, in time order, with the toxic words marked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from model_zoo.report import Report
from model_zoo.text.schema import TextPart
from model_zoo.toxicity.schema import Origin, Passage, ToxicityPart
from model_zoo.transcription.schema import SpeechSegment, TranscriptionPart
from serve.review.parts import part_of


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a line; `keys` say why it counts as toxic, none for harmless ones."""

    text: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One piece of speech or of on-screen text, or a text that was given as such."""

    origin: Origin
    start_seconds: float
    end_seconds: float
    pieces: tuple[Piece, ...]
    speaker: str | None = None
    toxicity: float | None = None  # overall; None where it was not rated


def lines(report: Report) -> list[Line]:
    """Return every line once: as it was rated, or as it was heard or read where nothing rated it."""
    rated = part_of(report, "toxicity", ToxicityPart).texts
    speech = part_of(report, "transcription", TranscriptionPart).segments
    screen = part_of(report, "text", TextPart).segments
    speakers = {segment.start_seconds: segment.speaker for segment in speech}
    found = [
        Line(
            item.origin,
            item.start_seconds,
            item.end_seconds,
            pieces(item.text, item.passages),
            speakers.get(item.start_seconds) if item.origin == "speech" else None,
            item.toxicity,
        )
        for item in rated
    ]
    known = {(item.origin, item.start_seconds, item.text.strip()) for item in rated}
    found += [_heard(item) for item in speech if ("speech", item.start_seconds, item.text.strip()) not in known]
    found += [
        Line("screen", item.start_seconds, item.end_seconds, (Piece(item.label),))
        for item in screen
        if ("screen", item.start_seconds, item.label.strip()) not in known
    ]
    return sorted(found, key=lambda line: (line.start_seconds, line.end_seconds, line.origin))


def pieces(text: str, passages: Sequence[Passage]) -> tuple[Piece, ...]:
    """Cut a text where passages begin and end; passages may overlap and are clipped to the text."""
    clipped = [(min(item.start, len(text)), min(item.end, len(text)), item.key) for item in passages]
    inside = [passage for passage in clipped if passage[0] < passage[1]]
    edges = sorted({0, len(text), *(start for start, _, _ in inside), *(end for _, end, _ in inside)})
    changes: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for start, end, key in inside:
        changes[start].append((key, 1))
        changes[end].append((key, -1))
    going: Counter[str] = Counter()  # key -> passages at this place
    found = []
    for start, end in pairwise(edges):
        for key, more in changes[start]:
            going[key] += more
        found.append(Piece(text[start:end], tuple(sorted(+going))))
    return tuple(found)


def _heard(segment: SpeechSegment) -> Line:
    return Line("speech", segment.start_seconds, segment.end_seconds, (Piece(segment.text.strip()),), segment.speaker)
