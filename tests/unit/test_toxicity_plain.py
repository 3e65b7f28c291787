"""Disguised words are put right, and nothing else is."""

from __future__ import annotations

import pytest

from model_zoo.toxicity.lexicon import lexicon
from model_zoo.toxicity.passages import MOST_WORDS, passages, stretches
from model_zoo.toxicity.plain import plain


def found(text: str) -> set[tuple[str, str]]:
    """Return the keys of the word list and the places in the text as it was given."""
    words = plain(text).words
    return {
        (find.entry.key, text[words[find.first].start : words[find.end - 1].end])
        for find in lexicon().find([word.text for word in words])
    }


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("what a sh1t day", "sh1t"),
        ("f u c k this", "f u c k"),
        ("you f*ck", "f*ck"),
        ("oh s*** it rains", None),
        ("that is bull.sh!t", "bull.sh!t"),
        ("fuuuuuck", "fuuuuuck"),
        ("f\u200bu\u200bck", "f\u200bu\u200bck"),
        ("ｆｕｃｋ", "ｆｕｃｋ"),
        ("fu\u0441k", "fu\u0441k"),  # a Cyrillic es
        ("f\u0443cking", "f\u0443cking"),  # a Cyrillic u, which looks like a y
        ("fu\u0441\u043a", "fu\u0441\u043a"),  # a Cyrillic ka, whose capital is a K
        ("\u0455h\u0456\u03c4", "\u0455h\u0456\u03c4"),  # Cyrillic dze and i, a Greek tau
        ("f\u03bcck", "f\u03bcck"),  # a Greek mu
        ("fück", "fück"),
        ("\u0430\u0455\u0455hole", "\u0430\u0455\u0455hole"),
        ("what an \u0430\u0455\u0455", "\u0430\u0455\u0455"),  # not one Latin letter in it
        ("f.u.c.k!", "f.u.c.k!"),
        ("you a$$hole", "a$$hole"),
    ],
)
def test_a_swear_word_in_disguise_is_found_at_its_place(text: str, place: str | None) -> None:
    places = {where for key, where in found(text) if key == "profanity"}
    assert places == ({place} if place else set())


@pytest.mark.parametrize(
    "text",
    [
        "the 2nd of 3 at 10:30, 5 dollars",
        "A B C is as easy as 1 2 3",
        "Scunthorpe has a shiitake farm",
        "the class will pass the assassin test",
        "e.g. a co-op, i.e. a c.o.o.p.",
        "сука по-русски",
        "у него хорошая оса и соска, а ХХХ век не скоро",
        "the word соска is a dummy, роса is dew",
        "Καλημέρα, η κότα και ο πάπιας",
        "μ and π are constants, 5 μm wide",
        "naïve café owners of Łódź, Ørsted and Đà Nẵng",
        "cockpit, cocktail and peacock",
        "Dickens wrote to Essex and Sussex",
    ],
)
def test_harmless_words_are_left_alone(text: str) -> None:
    assert found(text) == set()


def test_what_is_not_in_disguise_stays_as_it_is() -> None:
    text = "Turn left at 9:15, please - the 3rd door!"
    assert plain(text).text == text


def test_phrases_are_found_across_words_and_possessives_count_as_the_word() -> None:
    assert ("harassment_or_abuse", "kill yourself") in found("Just kill yourself now")
    assert ("insult", "idiot's") in found("that idiot's car")


def test_a_slur_that_is_also_reclaimed_is_on_no_list_of_a_key() -> None:
    assert {key for key, _ in found("we are queer and here")} == {"reclaimed"}


def test_a_long_text_is_cut_into_stretches_that_lose_no_word() -> None:
    text = " ".join(f"word{number}" for number in range(200)) + ". One more. And another one here!"
    parts = stretches(text)
    covered = {place for part in parts for place in range(part.start, part.start + len(part.text))}
    assert all(place in covered or letter == " " for place, letter in enumerate(text))
    assert all(part.words <= MOST_WORDS and text[part.start :].startswith(part.text) for part in parts)


def test_sentences_are_rated_by_themselves_too() -> None:
    texts = [part.text for part in stretches("Hello there. I will find you! Ok.")]
    assert texts == ["Hello there. I will find you! Ok.", "I will find you!"]


@pytest.mark.parametrize("text", ["", "  \n ", "\u200b", "...", "\n\n\n"])
def test_a_text_without_words_is_no_special_case(text: str) -> None:
    assert plain(text).words == ()
    assert all(part.text.strip() for part in stretches(text))


def test_a_key_without_a_listed_word_points_to_the_sentence_that_is_flagged() -> None:
    text = "Good morning. They are not like us and must go. See you soon."
    parts = stretches(text)
    scores = [0.9 if "must go" in part.text else 0.1 for part in parts]
    (place,) = passages(text, parts, {"hate_speech": scores})
    assert text[place.start : place.end] == "They are not like us and must go."


def test_a_sentence_knows_among_how_many_it_is_and_a_stretch_stands_for_itself() -> None:
    parts = stretches("I will find you! They went home. It is late now.")
    assert [(part.words, part.among) for part in parts] == [(11, 1), (4, 3), (3, 3), (4, 3)]
