"""How far two texts are apart."""

from __future__ import annotations

from collections.abc import Sequence


def edit_distance(text: Sequence[str], other: Sequence[str]) -> int:
    """Return how many characters, or words of two lists, must be inserted, removed or replaced (Levenshtein, 1966)."""
    return _last_row(text, other, list(range(len(other) + 1)))[-1]


def distance_within(part: str, whole: str) -> int:
    """Do as `edit_distance` for the stretch of `whole` that is nearest to `part`; what is around it costs nothing."""
    return min(_last_row(part, whole, [0] * (len(whole) + 1)))


def _last_row(text: Sequence[str], other: Sequence[str], row: list[int]) -> list[int]:
    """Return the cost of turning `text` into every beginning of `other`; `row` is the cost for an empty text."""
    for character in text:
        before, row = row, [row[0] + 1]
        for index, wanted in enumerate(other):
            row.append(min(before[index] + (character != wanted), before[index + 1] + 1, row[index] + 1))
    return row
