"""Character error rate of on-screen text: text/NAME.png and everything that it says, in NAME.txt."""

from __future__ import annotations

from pathlib import Path

from model_zoo.metrics.words import character_edits, together
from model_zoo.report import DomainPart
from model_zoo.text.order import read_order
from model_zoo.text.schema import TextPart
from serve.evaluate.task import Figure, Task, analyzer_of, counted, labelled_files, model_in, part_of
from serve.settings import Settings

DOMAIN, ROLE = "text", "recogniser"


def measure(folder: Path, settings: Settings) -> list[Figure]:
    """Return the character error rate of all pictures together."""
    items = labelled_files(folder)
    with analyzer_of(DOMAIN, settings) as analyzer:
        parts = [part_of(analyzer, item.media, DOMAIN) for item in items]
    edits = together(character_edits(_read(part), item.answers) for part, item in zip(parts, items, strict=True))
    data = f"{counted(len(items), 'picture')}, {counted(edits.length, 'character')}"
    return [Figure(model_in(parts, ROLE, DOMAIN), "character error rate of the whole text", edits.rate, data)]


def _read(part: DomainPart) -> str:
    return read_order(part.segments) if isinstance(part, TextPart) else ""


TASK = Task("text", DOMAIN, measure)
