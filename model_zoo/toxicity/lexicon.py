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
    """Words and phrases by what they speak for; those that hold a `*` as patterns."""

    plain: dict[str, tuple[Entry, ...]]
    patterns: tuple[tuple[re.Pattern[str], Entry], ...]

    def entries(self, phrase: str) -> tuple[Entry, ...]:
        """Return what a word or phrase, in small letters, speaks for; nothing for almost every word."""
        found = self.plain.get(phrase, ())
        return found + tuple(entry for pattern, entry in self.patterns if pattern.fullmatch(phrase))

    def knows(self, word: str) -> bool:
        """Tell whether a word is on any list."""
        return bool(self.entries(word))

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
    patterns: list[tuple[re.Pattern[str], Entry]] = []
    for table in tomllib.loads(FILE.read_text("utf-8"))["list"]:
        entry = Entry(table["key"], table["strength"])
        for word in table["words"]:
            if "*" not in word:
                plain[word] = (*plain.get(word, ()), entry)
        starred = [re.escape(word).replace(r"\*", r"[^ ]*") for word in table["words"] if "*" in word]
        if starred:
            patterns.append((re.compile("|".join(starred)), entry))
    return Lexicon(plain, tuple(patterns))
