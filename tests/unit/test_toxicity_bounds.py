"""Whatever a text is made of, it is read in a time that grows with its length."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from model_zoo.toxicity.foreign import foreign
from model_zoo.toxicity.lexicon import lexicon
from model_zoo.toxicity.passages import passages, stretches
from model_zoo.toxicity.plain import plain
from model_zoo.toxicity.postprocess import segments
from model_zoo.toxicity.schema import RatedText

PATIENCE_SECONDS = 30.0  # a hundred times what it takes; in the square of its length, each text would take longer


@contextmanager
def in_time() -> Iterator[None]:
    start_seconds = time.monotonic()
    yield
    assert time.monotonic() - start_seconds < PATIENCE_SECONDS


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("b " * 50_000, id="single letters"),
        pytest.param("\U0001f600 " * 50_000, id="emoji"),
        pytest.param("1 " * 50_000, id="digits"),
        pytest.param("s h i " * 5_000, id="beginnings of listed words"),
        pytest.param("fuck" * 100_000 + " a", id="a listed word in a long one"),
        pytest.param("f\u0443\u043f" * 50_000, id="a long word of two scripts"),
        pytest.param("a" + "\U0001d16d\U0001d165" * 100_000, id="marks above one letter"),
    ],
)
def test_a_text_that_is_made_to_take_long_is_read_in_time(text: str) -> None:
    with in_time():
        foreign(text)
        list(lexicon().find([word.text for word in plain(text).words]))


def test_a_swear_word_that_is_spelt_out_is_found_in_a_long_row_of_letters() -> None:
    text = "b " * 500 + "f u c k " + "b " * 500
    (place,) = [word for word in plain(text).words if "fuck" in word.text]
    assert place.start <= 1000 < place.end <= 1100


def test_many_short_sentences_are_cut_and_their_places_found_in_time() -> None:
    text = "They must go. " * 20_000
    with in_time():
        parts = stretches(text)
        found = passages(text, parts, {"insult": [0.9] * len(parts)})
    assert {text[place.start : place.end] for place in found} == {"They must go."}
    assert len(found) == 20_000


def test_hours_of_insults_make_one_segment_in_time() -> None:
    one = RatedText(origin="speech", text="x", start_seconds=0, end_seconds=2, toxicity=0.9, scores={"insult": 0.9})
    texts = [one.model_copy(update={"start_seconds": float(second)}) for second in range(20_000)]
    long = one.model_copy(update={"end_seconds": 20_002.0})
    with in_time():
        found = segments([long, *texts])
    assert {(segment.start_seconds, segment.end_seconds, segment.frames) for segment in found} == {(0, 20_002, 20_001)}
