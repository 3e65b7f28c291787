"""Texts that are plainly not English: by the script of their letters, else by the commonest words of some languages.

It is no detector of languages: a short text, or one of a language that is not here, passes for English. What it finds
is rated all the same, as anybody can put some foreign words around an insult; coverage says how little that means.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path

from model_zoo.toxicity.plain import plain

FILE = Path(__file__).parent / "common_words.txt"  # one language a line
ENGLISH = "en"
MOST_CHARACTERS = 20_000  # of a text that are looked at, the first ones
LEAST_LETTERS = 4  # of which most are of another script
LEAST_WORDS, LEAST_SHARE = 2, 0.15  # different ones of a language, and of all words; twice as many as English ones
_LATIN = "LATIN"
_WORD = re.compile(r"[^\W\d_]+")


def foreign(text: str) -> str | None:
    """Return which language (ISO 639-1) or script a text plainly is in, as `de` or `Cyrillic`; None for English."""
    beginning = text[:MOST_CHARACTERS]
    return _script(plain(beginning).text) or _language(_WORD.findall(beginning.casefold()))


def _script(text: str) -> str | None:
    """Return the script of most letters; in a plain text, words of mixed scripts are read as Latin."""
    letters = [letter for letter in text if letter.isalpha()]
    scripts = Counter(unicodedata.name(letter, "UNKNOWN").split(" ")[0].partition("-")[0] for letter in letters)
    if len(letters) < LEAST_LETTERS or 2 * scripts[_LATIN] >= len(letters):
        return None
    del scripts[_LATIN]
    name = scripts.most_common(1)[0][0]
    return name if name == "CJK" else name.capitalize()


def _language(words: list[str]) -> str | None:
    found = {language: [word for word in words if word in common] for language, common in _common_words().items()}
    english = len(found.pop(ENGLISH))
    best = max(found, key=lambda language: len(found[language]))
    own = found[best]
    sure = len(set(own)) >= LEAST_WORDS and len(own) >= LEAST_SHARE * len(words) and len(own) > 2 * english
    return best if sure else None


@cache
def _common_words() -> dict[str, frozenset[str]]:
    """Return the commonest words by language; those of others than English are seldom English words."""
    lines = (line.split() for line in FILE.read_text("utf-8").splitlines())
    return {language: frozenset(words) for language, *words in lines}
