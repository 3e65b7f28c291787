"""The word list: which words speak for which key, read once from words.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "words.toml"
RECLAIMED, DISGUISED = "reclaimed", "disguised"  # lists that are no keys of the report
SURE_LETTERS = 3  # so many first letters tell whether a word may be listed
_MOST_WORDS = 4  # of a phrase


@dataclass(frozen=True, slots=True)
class Entry:
    """What one list says of its words."""

    key: str
    strength: float  # 0..1


@dataclass(frozen=True, slots=True)
class Find:
    """Some words of a text, by number, that speak for a key."""

    entry: Entry
    first: int
    end: int  # the number after the last word


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words and phrases by what they speak for; those that hold a `*` as patterns, by their number of words."""

    plain: dict[str, tuple[Entry, ...]]
    patterns: dict[int, tuple[tuple[re.Pattern[str], Entry], ...]]
    beginnings: frozenset[str]  # of the words, `SURE_LETTERS` each
    inner: tuple[str, ...]  # parts of words that may begin with anything
    most_letters: int  # of a word, without what a `*` stands for

    def entries(self, phrase: str) -> tuple[Entry, ...]:
        """Return what a word or phrase, in small letters, speaks for; nothing for almost every word."""
        found = self.plain.get(phrase, ())
        patterns = self.patterns.get(phrase.count(" ") + 1, ())  # the others would try every part of a long phrase
        return found + tuple(entry for pattern, entry in patterns if pattern.fullmatch(phrase))

    def knows(self, word: str) -> bool:
        """Tell whether a word is on any list."""
        return bool(self.entries(word))

    def may_begin(self, letters: str) -> bool:
        """Tell, sooner than `knows`, whether any beginning of these letters can be on a list, of `SURE_LETTERS` on."""
        return letters[:SURE_LETTERS] in self.beginnings or any(part in letters for part in self.inner)

    def find(self, words: Sequence[str]) -> Iterator[Find]:
        """Find the words and phrases of a text that speak for a key; `words` are in small letters, without signs."""
        for first in range(len(words)):
            for end in range(first + 1, min(first + _MOST_WORDS, len(words)) + 1):
                for entry in self.entries(" ".join(words[first:end])):
                    if entry.key != DISGUISED:
                        yield Find(entry, first, end)


@cache
def lexicon() -> Lexicon:
    """Read the word list."""
    plain: dict[str, tuple[Entry, ...]] = {}
    patterns: dict[int, tuple[tuple[re.Pattern[str], Entry], ...]] = {}
    single: set[str] = set()  # with their `*`
    for table in tomllib.loads(FILE.read_text("utf-8"))["list"]:
        entry = Entry(table["key"], table["strength"])
        starred: dict[int, list[str]] = {}
        for word in table["words"]:
            if "*" in word:
                starred.setdefault(word.count(" ") + 1, []).append(re.escape(word).replace(r"\*", r"[^ ]*"))
            else:
                plain[word] = (*plain.get(word, ()), entry)
        for count, several in starred.items():
            patterns[count] = (*patterns.get(count, ()), (re.compile("|".join(several)), entry))
        single.update(word for word in table["words"] if " " not in word)
    return Lexicon(
        plain,
        patterns,
        frozenset(word[:SURE_LETTERS] for word in single if not word.startswith("*")),
        tuple(sorted(word.strip("*") for word in single if word.startswith("*"))),
        max(len(word.replace("*", "")) for word in single),
    )
