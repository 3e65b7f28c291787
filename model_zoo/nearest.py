"""The nearest name that there is, for one that is misspelt."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known name that is most like a word; empty where none is near."""
    by_small = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_small, n=1, cutoff=0.6)
    return by_small[near[0]] if near else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the nearest known name as a question in brackets; empty where none is near."""
    near = nearest(word, known)
    return f" (did you mean {near!r}?)" if near else ""
