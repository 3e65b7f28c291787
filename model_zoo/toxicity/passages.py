"""Cut texts into what is rated at once, and find the places that say why a text counts as toxic."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from model_zoo.toxicity.lexicon import lexicon
from model_zoo.toxicity.plain import plain
from model_zoo.toxicity.schema import Passage

FLAGGED = 0.5  # a key from this score on is said to be there
MOST_WORDS = 60  # of a stretch
LEAST_WORDS = 3  # of a sentence that is also rated by itself
_SENTENCE_ENDS = re.compile(r"(?<=[.!?;])\s+|\n\s*")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a text that is rated at once, and where it begins in it, in characters."""

    text: str
    start: int
    among: int = 1  # how many sentences of the text are rated by themselves, where it is one

    @property
    def words(self) -> int:
        """Return how many words it has."""
        return len(self.text.split())

    @property
    def end(self) -> int:
        """Return where it ends in the text, in characters."""
        return self.start + len(self.text)


def stretches(text: str) -> list[Stretch]:
    """Return the stretches of at most so many words that make up a text, and their sentences where there are several.

    In a long sentence a threat is drowned, by itself a half sentence is misread: both are rated, and the worst counts.
    They come as they begin, a stretch before its sentences.
    """
    sentences = _sentences(text)
    joined: list[Stretch] = []
    for sentence in sentences:
        longer = joined and _between(text, joined[-1].start, sentence)
        if longer and longer.words <= MOST_WORDS:
            joined[-1] = longer
        else:
            joined.append(sentence)
    whole = set(joined)
    alone = [sentence for sentence in sentences if sentence not in whole and sentence.words >= LEAST_WORDS]
    parts = joined + [replace(sentence, among=len(alone)) for sentence in alone]
    return sorted(parts, key=lambda part: part.start)


def passages(text: str, parts: Sequence[Stretch], flagged: Mapping[str, Sequence[float]]) -> tuple[Passage, ...]:
    """Return the places that speak for every flagged key: listed words, else the shortest parts that are flagged.

    `flagged` holds the scores of the parts by key, of the keys that are flagged.
    """
    if not flagged:
        return ()
    words = plain(text).words
    found = {
        (words[find.first].start, words[find.end - 1].end, find.entry.key)
        for find in lexicon().find([word.text for word in words])
        if find.entry.key in flagged
    }
    for key in flagged.keys() - {key for _, _, key in found}:
        places = [part for part, score in zip(parts, flagged[key], strict=True) if score >= FLAGGED]
        found |= {(part.start, part.end, key) for part in _shortest(places)}
    return tuple(Passage(start=start, end=end, key=key) for start, end, key in sorted(found))


def _sentences(text: str) -> list[Stretch]:
    """Cut at every end of a sentence, and after so many words where there is none."""
    cuts = [0, *(match.end() for match in _SENTENCE_ENDS.finditer(text)), len(text)]
    found = []
    for start, end in pairwise(cuts):
        words = [match.start() for match in re.finditer(r"\S+", text[start:end])]
        hard = [*(start + words[index] for index in range(0, len(words), MOST_WORDS)), end]
        found += [Stretch(text[first:last].rstrip(), first) for first, last in pairwise(hard)]
    return found


def _between(text: str, start: int, last: Stretch) -> Stretch:
    return Stretch(text[start : last.end], start)


def _shortest(places: Sequence[Stretch]) -> list[Stretch]:
    """Return the parts that hold no other one."""
    found: list[Stretch] = []
    for part in sorted(places, key=lambda part: (-part.start, part.end)):  # what a part may hold comes before it
        if not found or part.end < found[-1].end:
            found.append(part)
    return found
