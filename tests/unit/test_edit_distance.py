"""Edit distance: of whole texts, and of the nearest stretch of a longer one."""

from __future__ import annotations

import pytest

from model_zoo.ops.text import distance_within, edit_distance


@pytest.mark.parametrize(
    ("text", "other", "edits"),
    [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("news", "news", 0), ("ab", "ba", 2)],
)
def test_edits_are_counted(text: str, other: str, edits: int) -> None:
    assert edit_distance(text, other) == edits


def test_what_is_around_the_nearest_stretch_costs_nothing() -> None:
    assert distance_within("Article 1", "RIGHTS Article 1 All") == 0
    assert distance_within("Article 1", "RIGHTS Artikle1 All") == 2
    assert distance_within("abc", "") == 3
