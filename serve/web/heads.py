"""Headers of requests, read before a parser has taken them: only those that every parser reads alike."""

from __future__ import annotations

import re
from dataclasses import dataclass

_END = b"\r\n\r\n"
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110's; anything else is the parser's to refuse
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")  # no control character, which some parsers take for the end of a line
_BODY_FIELDS = {"content-length", "transfer-encoding"}


@dataclass(frozen=True, slots=True)
class Head:
    """The first line and the fields of a request."""

    first: bytes  # without its end
    fields: dict[str, str]  # by name in lower case
    size_bytes: int  # with the empty line after it

    @property
    def has_body(self) -> bool:
        """Whether a body follows."""
        return not _BODY_FIELDS.isdisjoint(self.fields)


def plain_head(seen: bytes) -> Head | None:
    """Return the head that these bytes begin with; None where it is not whole, or a parser should decide."""
    head, end, _ = seen.partition(_END)
    if not end:
        return None
    first, *lines = head.split(b"\r\n")
    pairs = [line.partition(b":") for line in lines]
    fields = {name.lower().decode("latin-1"): value.strip().decode("latin-1") for name, _, value in pairs}
    plain = all(colon and _TOKEN.fullmatch(name) and _VALUE.fullmatch(value) for name, colon, value in pairs)
    return Head(first, fields, len(head) + len(_END)) if plain and len(fields) == len(pairs) else None
