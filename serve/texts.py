"""Files of plain text, JSON and JSON Lines: each becomes the texts that are in it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from model_zoo.errors import CorruptMediaError, MediaLimitError, UnsupportedMediaError
from model_zoo.report import MediaFacts
from model_zoo.values import GivenText
from serve.limits import Limits
from serve.shown import shown

TEXT_SUFFIXES = frozenset({".json", ".jsonl", ".txt"})
_FORMS = 'write a text, {"text": "..."}, or a list of either'


def is_text(path: Path) -> bool:
    """Tell by its suffix whether a file holds text."""
    return path.suffix.lower() in TEXT_SUFFIXES


def read_texts(path: Path, limits: Limits) -> tuple[MediaFacts, tuple[GivenText, ...]]:
    """Return what a file of text is, and the texts in it, in their order.

    Raises MediaLimitError for too many bytes or texts, CorruptMediaError for what is no UTF-8 or no JSON,
    UnsupportedMediaError for JSON without texts.
    """
    name, suffix = shown(path.name), path.suffix.lower()
    content = path.read_bytes()
    if len(content) > limits.max_text_bytes:
        raise MediaLimitError(
            f"{name}: {len(content):,} bytes of text are over the limit of {limits.max_text_bytes:,}; "
            "split the file, or raise max_text_bytes (REELWARDEN_MAX_TEXT_BYTES)"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorruptMediaError(f"{name}: not UTF-8 at byte {error.start:,}; save the file as UTF-8") from error
    texts = _limited(_split(text, suffix, name), limits, name)
    if not any(given.text.strip() for given in texts):
        raise CorruptMediaError(f"{name}: there is no text in it; {_FORMS}")
    facts = MediaFacts(
        name=os.fsencode(path.name).decode("utf-8", "replace"),
        kind="text",
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        container=suffix.removeprefix("."),
        duration_seconds=None,
    )
    return facts, texts


def _split(text: str, suffix: str, name: str) -> Iterator[GivenText]:
    if suffix == ".txt":
        yield GivenText(text)
    elif suffix == ".json":
        value = _parsed(text, name)
        yield from _texts(value, name) if isinstance(value, list) else [_text(value, name)]
    else:
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                place = f"{name} line {number:,}"
                yield _text(_parsed(line, place), place)


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorruptMediaError(f"{place}: not JSON ({error}); {_FORMS}") from error


def _texts(value: list[Any], name: str) -> Iterator[GivenText]:
    for number, item in enumerate(value, start=1):
        yield _text(item, f"{name} entry {number:,}")


def _text(value: Any, place: str) -> GivenText:
    """Return the one text of a value, and its `id` where that is a text or a whole number."""
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str):
        kind = "an object without a `text`" if isinstance(value, dict) and text is None else type(text).__name__
        raise UnsupportedMediaError(f"{place}: {kind} is no text; {_FORMS}")
    own_id = value.get("id") if isinstance(value, dict) else None
    named = isinstance(own_id, str | int) and not isinstance(own_id, bool)
    return GivenText(text, str(own_id) if named else None)


def _limited(texts: Iterable[GivenText], limits: Limits, name: str) -> tuple[GivenText, ...]:
    found: list[GivenText] = []
    for text in texts:
        found.append(text)
        if len(found) > limits.max_texts:
            raise MediaLimitError(
                f"{name}: more than {limits.max_texts:,} texts; split the file, "
                "or raise max_texts (REELWARDEN_MAX_TEXTS)"
            )
    return tuple(found)
