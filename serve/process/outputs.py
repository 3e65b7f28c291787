"""Where answers go: a folder or a prefix in S3. An answer appears whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from model_zoo.errors import MediaNotFoundError
from serve.files import SCRAP, write_atomically
from serve.process.names import ANSWER, SUMMARY
from serve.s3 import S3Place, s3_client, s3_errors, s3_place

_CONTENT_TYPES = {
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".csv": "text/csv; charset=utf-8",
    ".vtt": "text/vtt; charset=utf-8",
    ".html": "text/html; charset=utf-8",
}


class Outputs(Protocol):
    """A place for named texts."""

    def write(self, name: str, text: str) -> str:
        """Write a text whole or not at all; return what `id_of` returns for it from now on."""
        ...

    def id_of(self, name: str) -> str | None:
        """Return what changes whenever the bytes do; None where there is no such text."""
        ...

    def summaries(self) -> Iterator[bytes]:
        """Yield the summaries of earlier runs, of all shares."""
        ...

    def tidy(self) -> None:
        """Remove what a killed run of this share left half-written."""
        ...


def open_outputs(place: str, tag: str) -> Outputs:
    """Return the place; `tag` is in the names of half-written files, so that a later run may remove them."""
    return S3Outputs(s3_place(place)) if place.startswith("s3://") else FolderOutputs(Path(place), tag)


class FolderOutputs:
    """A folder."""

    def __init__(self, folder: Path, tag: str) -> None:
        """Keep the folder; it is made when something is written."""
        self._folder, self._tag = folder, tag

    def write(self, name: str, text: str) -> str:
        """Write a file; a link of its name is replaced, not followed."""
        write_atomically(self._folder / name, text, self._tag, option="--output")
        return _sha256(text.encode())

    def id_of(self, name: str) -> str | None:
        """Return the sha256 of a file."""
        path = self._folder / name
        try:
            return None if path.is_symlink() else _sha256(path.read_bytes())
        except OSError:
            return None

    def summaries(self) -> Iterator[bytes]:
        """Yield the summaries of earlier runs."""
        for path in sorted(self._folder.glob(f"{SUMMARY}*{ANSWER}")):
            with suppress(OSError):
                yield path.read_bytes()

    def tidy(self) -> None:
        """Remove what a killed run of this share left half-written."""
        for place, _, names in os.walk(self._folder):
            for name in names:
                if name.startswith(SCRAP + self._tag) and name.endswith(".part"):
                    with suppress(OSError):
                        Path(place, name).unlink()


class S3Outputs:
    """A prefix in S3."""

    def __init__(self, place: S3Place) -> None:
        """Keep the prefix as a folder."""
        self._bucket, self._prefix = place.bucket, place.key.rstrip("/") + "/" if place.key.rstrip("/") else ""
        self._client: Any = s3_client(connections=64)

    def _place(self, name: str) -> S3Place:
        return S3Place(self._bucket, self._prefix + name)

    def write(self, name: str, text: str) -> str:
        """Put an object."""
        place = self._place(name)
        with s3_errors(place):
            answer = self._client.put_object(
                Bucket=place.bucket, Key=place.key, Body=text.encode(), ContentType=_content_type(name)
            )
        return _etag(answer)

    def id_of(self, name: str) -> str | None:
        """Return the ETag of an object."""
        place = self._place(name)
        try:
            with s3_errors(place):
                return _etag(self._client.head_object(Bucket=place.bucket, Key=place.key))
        except MediaNotFoundError:
            return None

    def summaries(self) -> Iterator[bytes]:
        """Yield the summaries of earlier runs."""
        place = self._place(SUMMARY)
        with s3_errors(place):
            found = self._client.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.key)
            keys = [item["Key"] for page in found for item in page.get("Contents", ())]
            for key in keys:
                if PurePosixPath(key).suffix == ANSWER and "/" not in key.removeprefix(place.key):
                    yield self._client.get_object(Bucket=place.bucket, Key=key)["Body"].read()

    def tidy(self) -> None:
        """Do nothing: an object is there whole or not at all."""


def _sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _content_type(name: str) -> str:
    return _CONTENT_TYPES.get(PurePosixPath(name).suffix, "text/plain; charset=utf-8")


def _etag(answer: Any) -> str:
    return f"etag:{answer['ETag'].strip(chr(34))}"
