"""The name of an input below the input folder: its answer is NAME.json below the output folder, and no other's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

ANSWER = ".json"
SUMMARY = "summary"
_SUMMARY = re.compile(rf"{SUMMARY}(-.*)?{re.escape(ANSWER)}")
_MOST_BYTES = 255 - len(ANSWER)  # of one part, as file systems take them


@dataclass(frozen=True, slots=True)
class Item:
    """One input: what it is called, and where it is."""

    name: str  # path below the input folder, with slashes
    source: str  # a path, s3:// or https://
    etag: str | None = None  # of an object in S3, when it was listed


@dataclass(frozen=True, slots=True)
class Refused:
    """An input that cannot even be tried, and why."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """All inputs of a job, of every share."""

    items: tuple[Item, ...]
    refused: tuple[Refused, ...] = ()
    ignored: int = 0  # files that do not look like media


NOTHING = Inputs(())


def readable(name: str) -> str:
    """Return a name as JSON can hold it: bytes that are not UTF-8 are written as escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def unusable(name: str) -> str | None:
    """Say why no file can be called so, or None."""
    parts = name.split("/")
    if {"", ".", ".."} & set(parts) or "\0" in name:
        return "its path has an empty part, `.` or `..`; rename it, or give it a `name` in the manifest"
    if max(len(part.encode("utf-8", "surrogateescape")) for part in parts) > _MOST_BYTES:
        return f"a part of its path is longer than {_MOST_BYTES} bytes; rename it"
    if _SUMMARY.fullmatch(parts[0] + (ANSWER if len(parts) == 1 else "")):
        return f"its answer would lie where the job's own {SUMMARY}{ANSWER} does; rename it"
    return None


def settle(inputs: Inputs, suffixes: Sequence[str] = (ANSWER,)) -> Inputs:
    """Refuse items whose names cannot be used or whose answers would lie where another's does; the first keeps it.

    An item NAME has the answers NAME + suffix.
    """
    kept: dict[str, Item] = {}
    answers: set[str] = set()
    out = list(inputs.refused)
    for item in inputs.items:
        own = {item.name + suffix for suffix in suffixes}
        if (problem := unusable(item.name)) is not None:
            out.append(Refused(item.name, problem))
        elif not own & answers:
            kept[item.name] = item
            answers |= own
        elif kept.get(item.name) != item:
            taken = min(own & answers)
            out.append(Refused(item.name, f"{taken} is the answer of another input; rename it, or give each a `name`"))
    for name in list(kept):
        inside = answers.intersection(map(str, PurePosixPath(name).parents))
        if inside:
            del kept[name]
            out.append(Refused(name, f"{inside.pop()} is the answer of another input, and so no folder; rename it"))
    return Inputs(tuple(kept.values()), tuple(out), inputs.ignored)
