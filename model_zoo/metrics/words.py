"""Error rates of texts: by words for speech, by characters for text that is read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from model_zoo.ops.text import edit_distance

SPACELESS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")  # as Unicode names their letters
QUOTES = re.compile(r"(?<!\w)'|'(?!\w)")


@dataclass(frozen=True, slots=True)
class Edits:
    """How many words or characters must be changed, of how many that are right."""

    edits: int
    length: int

    @property
    def rate(self) -> float:
        """Return edits per right word or character; above 1 where more was said than that."""
        return self.edits / max(1, self.length)


def words_of(text: str) -> list[str]:
    """Return the words of a text, without case, punctuation and accents' spelling (NFKC).

    Where a script puts no spaces between words (Chinese, Japanese, Thai and its neighbours) every character is one.
    """
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return QUOTES.sub("", "".join(map(_in_words, plain))).split()


@lru_cache(maxsize=10_000)
def _in_words(character: str) -> str:
    """Return what stands for a character: itself, a space for punctuation, nothing for what is not seen."""
    category = unicodedata.category(character)
    if category == "Cf":  # such as the joiners of Indian scripts
        return ""
    if category[0] not in "LMN" and character != "'":
        return " "
    spaceless = category[0] == "L" and unicodedata.name(character, "").startswith(SPACELESS)
    return f" {character}" if spaceless else character


def word_edits(said: str, references: Sequence[str]) -> Edits:
    """Return the word edits from what was recognised to the nearest of several right texts, such as `8` and `eight`."""
    return _nearest([Edits(edit_distance(words_of(said), words_of(text)), len(words_of(text))) for text in references])


def character_edits(read: str, references: Sequence[str]) -> Edits:
    """Return the character edits to the nearest of several right texts; runs of white space count as one space."""
    plain = " ".join(read.split())
    texts = [" ".join(text.split()) for text in references]
    return _nearest([Edits(edit_distance(plain, text), len(text)) for text in texts])


def together(several: Iterable[Edits]) -> Edits:
    """Return the edits of several texts as of one: long texts count more."""
    whole = Edits(0, 0)
    for one in several:
        whole = Edits(whole.edits + one.edits, whole.length + one.length)
    return whole


def _nearest(candidates: Sequence[Edits]) -> Edits:
    return min(candidates, key=lambda edits: (edits.rate, edits.edits))
