"""The language of a row of speech: what is heard where that is sure, else that of most of its file."""

from __future__ import annotations

from serve.backends.languages import Habits, Language, Row

SPANISH = {"es": 0.8, "en": 0.1, "it": 0.1}
UNSURE = {"en": 0.4, "it": 0.3, "es": 0.2, "ru": 0.1}
RUSSIAN = {"ru": 0.9, "en": 0.05}


def row(file_number: int, seconds: float = 30.0, wanted: str = "") -> Row:
    return Row(file_number, seconds, wanted)


def no_habits(*rows: Row) -> Habits:
    return Habits(rows, [""] * len(rows), [0.0] * len(rows))


def test_an_unsure_row_is_in_the_language_of_the_rows_around_it() -> None:
    rows = [row(1), row(1), row(1)]
    decided = no_habits(*rows).decide(rows, [UNSURE, SPANISH, UNSURE])
    assert decided == [Language("es", 0.2), Language("es", 0.8), Language("es", 0.2)]


def test_another_file_has_no_say() -> None:
    rows = [row(1), row(2), row(2), row(3)]
    decided = no_habits(*rows).decide(rows, [SPANISH, RUSSIAN, UNSURE, UNSURE])
    assert [language.code for language in decided] == ["es", "ru", "ru", "en"]


def test_seconds_count_and_not_rows() -> None:
    rows = [row(1, 5), row(1, 5), row(1, 30), row(1, 10)]
    decided = no_habits(*rows).decide(rows, [RUSSIAN, RUSSIAN, SPANISH, UNSURE])
    assert decided[-1].code == "es"


def test_what_was_heard_before_counts_as_long_as_it_was() -> None:
    rows = [row(1), row(1)]
    for seconds, code in ((120.0, "ru"), (20.0, "es")):
        decided = Habits(rows, ["ru", "ru"], [seconds, seconds]).decide(rows, [SPANISH, UNSURE])
        assert [language.code for language in decided] == ["es", code]


def test_rows_that_come_in_a_later_part_know_of_the_earlier_ones() -> None:
    first, second = [row(1)], [row(1)]
    habits = no_habits(*first, *second)
    habits.remember(first, habits.decide(first, [SPANISH]))
    assert habits.decide(second, [UNSURE]) == [Language("es", 0.2)]


def test_a_language_that_is_wanted_is_taken() -> None:
    rows = [row(1, wanted="fr")]
    assert no_habits(*rows).decide(rows, [SPANISH]) == [Language("fr", 1.0)]
