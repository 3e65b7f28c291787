"""Read words that are written with look-alikes of Latin letters: Unicode's list of them, and what people also use."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice, product
from pathlib import Path

FILE = Path(__file__).parent / "lookalikes.txt"  # made by export/recipes/lookalikes.py
_ALSO = {"у": "u", "и": "nu", "п": "n", "я": "r", "ш": "w", "η": "n", "ω": "w", "μ": "u", "ø": "o", "đ": "d", "ł": "l"}
_MOST_READINGS = 64  # of one word


@cache
def lookalikes() -> dict[str, str]:
    """Return what each letter of another script looks like: one Latin letter, seldom two, in small letters."""
    return dict(line.split(" ") for line in FILE.read_text("utf-8").splitlines())


def readings(word: str) -> Iterator[str]:
    """Return how a word of mixed scripts can be read, in small letters, the likeliest first.

    A letter may stand for what it, its capital or its sound looks like: `у` for y or u, `н` for h.
    """
    letters = [letter if letter.isascii() else _may_be(letter) or letter for letter in word.lower()]
    return ("".join(reading) for reading in islice(product(*letters), _MOST_READINGS))


def exactly(word: str) -> str | None:
    """Return what a word of another script looks like letter for letter, None where one looks like no Latin letter."""
    known = lookalikes()
    latin = [letter if letter.isascii() else known.get(letter, "")[:1] for letter in word]
    return "".join(latin).lower() if all(latin) else None


@cache
def _may_be(letter: str) -> str:
    known = lookalikes()
    return "".join(dict.fromkeys(known.get(letter, "") + known.get(letter.upper(), "") + _ALSO.get(letter, "")))
