"""Whatever a text is made of, it is rated in time, and when there is no more time, what was rated is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from model_zoo import toxicity
from model_zoo.domain import Stops, Summary, never_stops
from model_zoo.toxicity.foreign import foreign
from model_zoo.toxicity.lexicon import lexicon
from model_zoo.toxicity.passages import passages, stretches
from model_zoo.toxicity.plain import plain
from model_zoo.toxicity.postprocess import segments
from model_zoo.toxicity.rating import AT_ONCE
from model_zoo.toxicity.schema import RatedText, ToxicityPart
from model_zoo.values import GivenText
from tests.unit.test_toxicity import SPECS, calm, coverage_of

PATIENCE_SECONDS = 30.0  # a hundred times what it takes; in the square of its length, each text would take longer


@contextmanager
def in_time() -> Iterator[None]:
    start_seconds = time.monotonic()
    yield
    assert time.monotonic() - start_seconds < PATIENCE_SECONDS


def rated(texts: list[str], stops: Stops = never_stops) -> ToxicityPart:
    loaded = {role: calm(spec) for role, spec in SPECS.items()}
    given = tuple(GivenText(text, f"c-{number}") for number, text in enumerate(texts))
    part = toxicity.summarize(Summary({}, SPECS, 1.0, 0.0, 0, 0, {}, loaded=loaded, texts=given, stops=stops))
    assert isinstance(part, ToxicityPart)
    return part


class StopsAfter:
    """Lets so many batches pass, and remembers how often it was asked, and what it was told."""

    def __init__(self, batches: int) -> None:
        self.left = batches
        self.told: list[str] = []

    def __call__(self, how_far: str) -> bool:
        """Answer as a pipeline does."""
        self.told.append(how_far)
        self.left -= 1
        return self.left <= 0


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


def test_texts_that_were_rated_before_the_end_are_kept_and_coverage_tells_of_those_that_are_left() -> None:
    stops = StopsAfter(batches=2)
    part = rated(["what a sh1tty day"] * 1000, stops)
    assert [text.item for text in part.texts] == list(range(2 * AT_ONCE))
    assert part.texts[-1].item_id == f"c-{2 * AT_ONCE - 1}"
    assert {segment.item for segment in part.segments} == set(range(2 * AT_ONCE))
    assert stops.told == [f"texts rated up to number {AT_ONCE * batch:,} of 1,000" for batch in (1, 2)]
    left = f"the analysis ended before all was rated (texts left: {1000 - 2 * AT_ONCE})"
    assert left in (coverage_of(part)["insult"].reason or "")


def test_of_a_long_text_the_beginning_that_was_read_is_rated_by_itself() -> None:
    text = "We will go home now. " * 600 + "You idiot."
    stops = StopsAfter(batches=2)
    part = rated([text, "hello"], stops)
    (first,) = part.texts
    assert 0 < len(first.text) < len(text)
    assert text.startswith(first.text)
    assert first.text.endswith("now.")
    assert f"up to character {len(first.text):,} of number 1 of 2" in stops.told[-1]
    assert first.scores["insult"] < 0.5
    assert "(texts left: 2)" in (coverage_of(part)["insult"].reason or "")


def test_nothing_is_left_where_all_was_rated_and_nobody_asks_after_the_last_batch() -> None:
    stops = StopsAfter(batches=3)
    part = rated([*["hello"] * (3 * AT_ONCE), " "], stops)
    assert len(stops.told) == 2
    assert len(part.texts) == 3 * AT_ONCE + 1
    assert "ended" not in (coverage_of(part)["insult"].reason or "")


def test_a_long_text_is_asked_about_as_often_as_many_short_ones() -> None:
    stops = StopsAfter(batches=10_000)
    rated(["word " * 60 * 5 * AT_ONCE], stops)
    assert len(stops.told) == 4
