"""Word error rate of transcription: speech/NAME.wav and what is said in NAME.txt."""

from __future__ import annotations

from pathlib import Path

from model_zoo.metrics.words import together, word_edits
from model_zoo.transcription.schema import TranscriptionPart
from serve.evaluate.task import Figure, Task, analyzer_of, counted, labelled_files, model_in, part_of
from serve.settings import Settings

DOMAIN, ROLE = "transcription", "transcriber"


def measure(folder: Path, settings: Settings) -> list[Figure]:
    """Return the word error rate of all recordings together."""
    items = labelled_files(folder)
    with analyzer_of(DOMAIN, settings) as analyzer:
        parts = [part_of(analyzer, item.media, DOMAIN) for item in items]
    edits = together(
        word_edits(_said(part), item.answers) for part, item in zip(parts, items, strict=True)
    )  # fmt: skip
    data = f"{counted(len(items), 'recording')}, {counted(edits.length, 'word')}"
    return [Figure(model_in(parts, ROLE, DOMAIN), "word error rate", edits.rate, data)]


def _said(part: object) -> str:
    return " ".join(segment.text for segment in part.segments) if isinstance(part, TranscriptionPart) else ""


TASK = Task("speech", DOMAIN, measure)
