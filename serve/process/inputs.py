"""List the inputs of a job: a folder, one file, a manifest, or a prefix in S3."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from model_zoo.errors import MediaNotFoundError
from serve.containers import MEDIA_SUFFIXES, named_os_errors
from serve.fetching import FetchRules, bucket_pattern
from serve.process.manifests import MANIFEST_SUFFIXES, read_manifest
from serve.process.names import ANSWER, Inputs, Item, Refused, settle
from serve.s3 import S3Place, s3_client, s3_errors, s3_place
from serve.shown import shown

Takes = Callable[[str], bool]


def list_inputs(place: str, match: tuple[str, ...], suffixes: Sequence[str] = (ANSWER,)) -> Inputs:
    """Return what a job has to do, NAME + suffix being the answers of NAME.

    A file that lists inputs is an input itself where a pattern of `match` fits its name.
    Raises MediaNotFoundError, MediaError or FetchError when that cannot be told.
    """
    if place.startswith("s3://"):
        inputs = _in_s3(s3_place(place), match)
    else:
        path = Path(place)
        with named_os_errors(path):
            if path.is_dir():
                inputs = _in_folder(path, _taker(match))
            elif not path.is_file():
                raise MediaNotFoundError(f"{shown(place)}: no such file or folder; check --input")
            elif _is_list(path.name, match):
                inputs = Inputs(tuple(read_manifest(path.read_bytes(), place, str(path.parent))))
            else:
                inputs = Inputs((Item(path.name, str(path)),))
    if not inputs.items and not inputs.refused:
        raise MediaNotFoundError(
            f"{shown(place)}: no media there; files must end in one of {' '.join(sorted(MEDIA_SUFFIXES))}, "
            "or be named by --match, such as --match '*.jsonl' for texts"
        )
    return settle(inputs, suffixes)


def rules_with_input(rules: FetchRules, place: str, match: tuple[str, ...] = ()) -> FetchRules:
    """Allow what `--input` names beside what the settings allow; a manifest allows only its own folder."""
    if place.startswith("s3://"):
        where = s3_place(place)
        if _is_list(PurePosixPath(where.key).name, match):
            where = S3Place(where.bucket, _folder(where.key))
        return replace(rules, buckets=(*rules.buckets, bucket_pattern(where.bucket, where.key)))
    path = Path(place)
    return replace(rules, folders=(*rules.folders, path if path.is_dir() else path.parent))


def _folder(key: str) -> str:
    return key[: key.rfind("/") + 1]


def _is_list(name: str, match: tuple[str, ...]) -> bool:
    """Say whether a file of this name lists inputs; one that is asked for by a pattern is an input."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix in MANIFEST_SUFFIXES and not any(fnmatchcase(name, pattern) for pattern in match)


def _taker(match: tuple[str, ...]) -> Takes:
    """Return what says whether a path below the folder is an input; hidden files never are."""

    def takes(name: str) -> bool:
        path = PurePosixPath(name)
        if any(part.startswith(".") for part in path.parts):
            return False
        if match:
            return any(fnmatchcase(name, pattern) or fnmatchcase(path.name, pattern) for pattern in match)
        return path.suffix.lower() in MEDIA_SUFFIXES

    return takes


def _in_folder(folder: Path, takes: Takes) -> Inputs:
    items: list[Item] = []
    refused: list[Refused] = []
    ignored = 0
    root = os.path.realpath(folder)
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if not takes(name):
            ignored += 1
        elif not Path(os.path.realpath(path)).is_relative_to(root):
            refused.append(Refused(name, "a link that leads out of the input folder; put the file itself there"))
        elif not path.is_file():
            refused.append(Refused(name, "no file, but a device, a pipe or a link to nothing; put a file there"))
        else:
            items.append(Item(name, str(path)))
    return Inputs(tuple(items), tuple(refused), ignored)


def _files(folder: Path) -> Iterator[Path]:
    """Yield what is no folder; links to folders are not followed."""

    def refuse(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        yield from (Path(place, name) for name in sorted(names))


def _in_s3(place: S3Place, match: tuple[str, ...]) -> Inputs:
    client, takes = s3_client(), _taker(match)
    if _is_list(PurePosixPath(place.key).name, match):
        with s3_errors(place):
            content = client.get_object(Bucket=place.bucket, Key=place.key)["Body"].read()
        base = f"s3://{place.bucket}/{_folder(place.key)}".rstrip("/")
        return Inputs(tuple(read_manifest(content, str(place), base)))
    items: list[Item] = []
    ignored = 0
    for found in objects(client, place):
        key = found["Key"]
        inside = key.removeprefix(place.key).removeprefix("/") or PurePosixPath(key).name
        if key.endswith("/") and not found["Size"]:
            continue  # a folder, as consoles make them
        if takes(inside) or key == place.key:
            items.append(Item(inside, f"s3://{place.bucket}/{key}", found["ETag"].strip('"')))
        else:
            ignored += 1
    return Inputs(tuple(items), ignored=ignored)


def objects(client: Any, place: S3Place) -> Iterable[dict[str, Any]]:
    """Yield the object of this very key, and all below it."""
    with s3_errors(place):
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.key):
            for found in page.get("Contents", ()):
                rest = found["Key"].removeprefix(place.key)
                if not rest or not place.key or place.key.endswith("/") or rest.startswith("/"):
                    yield found
