"""Put right what is written in disguise: sh1t, f u c k, f*ck, fuuuck, zero-width and look-alike letters.

Only what becomes a listed word is changed, and words of mixed scripts; `2nd`, `a b c` and Cyrillic words stay as they
are. Places are counted in characters of the text as it was given.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile

from model_zoo.toxicity.lexicon import SURE_LETTERS, lexicon
from model_zoo.toxicity.lookalikes import exactly, readings

_LEET = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "@": "a", "$": "s",
                       "!": "i", "|": "i", "+": "t", "€": "e"})  # fmt: skip
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_CHUNK = re.compile(r"\S+")
_INNER_SIGNS = re.compile(r"[._\-~/\\,]")
_LONG_RUN = re.compile(r"(.)\1{2,}")
_UNKNOWN = re.compile(r"[*#%]")  # stands for a letter that is not said
_SUBSTITUTES = "0134578@$!|+€*#%"
_VOWELS = "aeiou"
_HIDDEN = {  # what people write when only the first letter is said
    "f***": "fuck",
    "f**k": "fuck",
    "f**king": "fucking",
    "f***ing": "fucking",
    "s***": "shit",
    "sh**": "shit",
    "b***h": "bitch",
    "c**t": "cunt",
    "n***er": "nigger",
    "n****r": "nigger",
}
_MOST_LETTERS = 100  # of a word that is read in more than one way


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is meant, in small letters, and its place in the text as it was given."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Plain:
    """A text as it is meant, and its words."""

    text: str
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run of characters without a space, as it is meant, and its place in the text as it was given."""

    text: str
    start: int
    end: int


def plain(text: str) -> Plain:
    """Return a text without disguises."""
    given = list(_pieces(text))
    words = [piece.text for piece in given if any(letter.isalpha() for letter in piece.text)]
    mostly_latin = sum(map(_has_latin, words)) > len(words) / 2
    pieces = _joined([_undisguised(piece, mostly_latin) for piece in given])
    return Plain(" ".join(piece.text for piece in pieces), tuple(word for piece in pieces for word in _words(piece)))


def _pieces(text: str) -> Iterator[_Piece]:
    """Split at spaces, without characters that nobody sees, and without accents on Latin letters."""
    for match in _CHUNK.finditer(text):
        # Marks are left out first: a long row of them takes a time in the square of its length to be put in order
        seen = unicodedata.normalize("NFKC", _without(match.group(), "Cf", "Mn"))
        if _has_latin(seen) and not seen.isascii():
            seen = _without(unicodedata.normalize("NFKD", seen), "Mn")
        if seen:
            yield _Piece(seen, match.start(), match.end())


def _without(text: str, *categories: str) -> str:
    """Leave out the characters of some categories, and whatever is put above or below the letter before it."""
    return "".join(
        character
        for character in text
        if unicodedata.category(character) not in categories and not unicodedata.combining(character)
    )


def _has_latin(text: str) -> bool:
    return any("a" <= letter <= "z" for letter in text.lower())


def _undisguised(piece: _Piece, mostly_latin: bool) -> _Piece:
    """Return the listed word that a piece stands for, else the piece, its look-alikes put right where scripts mix.

    A word without a Latin letter is a disguise only in a text that is `mostly_latin`, and letter for letter.
    """
    core = piece.text.strip(".,;:?\"'()[]{}<>…")
    if core.isascii():
        ways = [core.lower()]
    elif _has_latin(core):
        ways = list(islice(readings(core), None if len(core) <= _MOST_LETTERS else 1))
    else:
        ways = [way for way in [exactly(core)] if way and mostly_latin]
    for way in ways:
        if found := _listed(way, piece.text.isascii()):
            ending = piece.text[-1] if piece.text[-1] in ".,;:?!" else ""
            return _Piece(found + ending, piece.start, piece.end)
    return piece if core.isascii() or not _has_latin(core) else replace(piece, text=next(readings(piece.text)))


def _listed(word: str, as_given: bool) -> str | None:
    """Return the listed word that a word stands for; one that is `as_given` and plain needs no second look."""
    if as_given and word.isalpha() and not _LONG_RUN.search(word):
        return None
    return next((candidate for candidate in _candidates(word) if lexicon().knows(candidate)), None)


def _candidates(core: str) -> Iterator[str]:
    """Return what a piece might stand for, the likeliest first."""
    letters = sum(character.isalpha() for character in core)
    if letters == 0 or (any(character in _SUBSTITUTES for character in core.rstrip("!")) and letters < len(core) / 3):
        return
    for whole in (core, core.rstrip("!+*")):
        for form in (whole.translate(_LEET), whole.replace("1", "l").translate(_LEET), _INNER_SIGNS.sub("", whole)):
            yield from _unrepeated(form)
            yield from _unrepeated(_INNER_SIGNS.sub("", form))
        hidden = _UNKNOWN.findall(whole)
        if hidden and len(whole) - len(hidden) >= 2:
            for vowel in _VOWELS:
                yield _UNKNOWN.sub(vowel, whole, count=1).translate(_LEET)
        if word := _HIDDEN.get(_UNKNOWN.sub("*", whole)):
            yield word


def _unrepeated(form: str) -> Iterator[str]:
    """Return a form whose letters are not drawn out: coool, then cool, then col."""
    yield form
    if _LONG_RUN.search(form):
        yield _LONG_RUN.sub(r"\1\1", form)
        yield _LONG_RUN.sub(r"\1", form)


def _joined(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Join single letters that spell a listed word."""
    letters = [_letter(piece) for piece in pieces]
    most = 2 * lexicon().most_letters  # a listed word, and as much again for what a `*` stands for
    joined: list[_Piece] = []
    at = 0
    while at < len(pieces):
        spelt, taken = _spelt(list(takewhile(bool, letters[at : at + most])))
        if taken:
            joined.append(_Piece(spelt, pieces[at].start, pieces[at + taken - 1].end))
            at += taken
        else:
            joined.append(pieces[at])
            at += 1
    return joined


def _letter(piece: _Piece) -> str:
    """Return the letter that a piece is or stands for, in small; "" where it is longer."""
    sign = piece.text.strip(".,!?-_*")
    return sign.lower().translate(_LEET) if len(sign) == 1 else ""


def _spelt(letters: Sequence[str]) -> tuple[str, int]:
    """Return the longest listed word that begins with the first letter, and how many letters it takes; "" and 0."""
    known = lexicon().knows
    if len(letters) < SURE_LETTERS or not lexicon().may_begin("".join(letters)):
        return "", 0
    for taken in range(len(letters), SURE_LETTERS - 1, -1):
        word = "".join(letters[:taken])
        if known(word) and not (word[0] in "ai" and known(word[1:])):  # the words a and I are not part of it
            return word, taken
    return "", 0


def _words(piece: _Piece) -> Iterator[Word]:
    """Split a piece at its signs; where it was put right, every word has the place of the whole piece."""
    unchanged = len(piece.text) == piece.end - piece.start
    for match in _WORD.finditer(piece.text):
        start = piece.start + match.start() if unchanged else piece.start
        end = piece.start + match.end() if unchanged else piece.end
        yield Word(match.group().lower().replace("’", "'").removesuffix("'s"), start, end)
