"""Manifests: files that list inputs, one a line as JSON or plain text, or the way SageMaker writes a ManifestFile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import AliasChoices, BaseModel, Field, TypeAdapter, ValidationError

from model_zoo.errors import UsageError
from serve.process.names import Item
from serve.shown import shown

MANIFEST_SUFFIXES = frozenset((".json", ".jsonl", ".manifest", ".txt"))


class Row(BaseModel):
    """A line of JSON Lines."""

    source: str = Field(validation_alias=AliasChoices("source", "source-ref"), min_length=1)
    name: str | None = Field(None, min_length=1)


class _Prefix(BaseModel):
    prefix: str


_ManifestFile = TypeAdapter(list[_Prefix | str])


def read_manifest(content: bytes, place: str, base: str) -> Iterator[Item]:
    """Yield the items of a manifest; relative entries lie below `base`, a folder or s3://BUCKET/FOLDER.

    Raises UsageError with the line that is wrong.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown(place)}: a manifest must be UTF-8 text ({error})") from error
    if text.lstrip().startswith("["):
        yield from _manifest_file(text, place, base)
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            row = _row(line.strip(), f"{shown(place)}, line {number}")
            yield _item(row.source, row.name, base)


def _row(line: str, place: str) -> Row:
    if not line.startswith("{"):
        return Row(source=line)
    try:
        return Row.model_validate_json(line)
    except ValidationError as error:
        raise UsageError(f'{place}: write {{"source": "…", "name": "…"}}: {error.errors()[0]["msg"]}') from None


def _manifest_file(text: str, place: str, base: str) -> Iterator[Item]:
    """Read `[{"prefix": "s3://bucket/folder/"}, "a.mp4", "b/c.mp4"]`."""
    try:
        rows = _ManifestFile.validate_python(json.loads(text))
    except (ValueError, RecursionError):  # a ValidationError is one
        raise UsageError(f'{shown(place)}: write [{{"prefix": "s3://…/"}}, "a.mp4", …]') from None
    prefix = f"{base}/"
    for row in rows:
        if isinstance(row, _Prefix):
            prefix = row.prefix
        else:
            yield Item(row, prefix + row)


def _item(source: str, name: str | None, base: str) -> Item:
    if "://" not in source and not source.startswith("/"):
        source = f"{base}/{source.removeprefix('./')}"
    return Item(name or _name(source, base), source)


def _name(source: str, base: str) -> str:
    """Return the path below `base`, or for what lies elsewhere one that tells where."""
    if source.startswith(f"{base}/"):
        return source[len(base) + 1 :]
    if source.startswith("s3://"):
        return source.replace("://", "/", 1)
    if "://" not in source:
        return Path(source).as_posix().lstrip("/")
    try:
        url = urlsplit(source)
    except ValueError:
        return "https/unreadable"
    return f"{url.scheme}/{url.hostname}{unquote(url.path)}"
