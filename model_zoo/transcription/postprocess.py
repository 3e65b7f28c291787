"""From words to segments of about a sentence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from model_zoo.transcription.schema import SpeechSegment, Word
from model_zoo.transcription.words import SpokenWord

PAUSE_SECONDS = 1.0  # a longer silence ends a segment
LONGEST_SECONDS = 20.0  # a segment that goes on is ended at its longest pause
SENTENCE_ENDS = (".", "?", "!", "。", "？", "！", "…")
NO_SENTENCE_ENDS = frozenset({"mr.", "mrs.", "ms.", "dr.", "st.", "prof.", "jr.", "sr.", "vs.", "no."})


def sentences(words: Sequence[SpokenWord]) -> Iterator[list[SpokenWord]]:
    """Group words, in time order, into sentences: at their signs, at pauses, where the language changes."""
    held: list[SpokenWord] = []
    for word in words:
        if held and _ends(held[-1], word):
            yield from _short(held)
            held = []
        held.append(word)
    if held:
        yield from _short(held)


def _ends(word: SpokenWord, following: SpokenWord) -> bool:
    if following.start_seconds - word.end_seconds > PAUSE_SECONDS or following.language != word.language:
        return True
    text = word.text.strip().rstrip("\"'”’)").lower()
    return text.endswith(SENTENCE_ENDS) and text not in NO_SENTENCE_ENDS


def _short(words: list[SpokenWord]) -> Iterator[list[SpokenWord]]:
    """Cut a sentence at its longest pauses until each part is short enough."""
    if len(words) < 2 or words[-1].end_seconds - words[0].start_seconds <= LONGEST_SECONDS:
        yield words
        return
    pauses = [after.start_seconds - before.end_seconds for before, after in pairwise(words)]
    cut = max(range(len(pauses)), key=lambda index: (pauses[index], -abs(index - len(pauses) / 2))) + 1
    yield from _short(words[:cut])
    yield from _short(words[cut:])


def segment(words: Sequence[SpokenWord], speaker: str | None, end_seconds: float) -> SpeechSegment:
    """Return the segment of a sentence; nothing of it ends after the sound does."""
    said = [_word(word, speaker, end_seconds) for word in words]
    best = max(said, key=lambda word: word.confidence)
    return SpeechSegment(
        start_seconds=said[0].start_seconds,
        end_seconds=max(word.end_seconds for word in said),
        peak_seconds=best.start_seconds,
        peak_confidence=best.confidence,
        mean_confidence=round(sum(word.confidence for word in said) / len(said), 4),
        frames=len(said),
        text="".join(word.text for word in words).strip(),
        language=words[0].language,
        speaker=speaker,
        words=said,
    )


def _word(word: SpokenWord, speaker: str | None, end_seconds: float) -> Word:
    return Word(
        text=word.text.strip(),
        start_seconds=round(min(word.start_seconds, end_seconds), 3),
        end_seconds=round(min(word.end_seconds, end_seconds), 3),
        confidence=round(min(1.0, word.confidence), 4),
        speaker=speaker,
    )


def main_language(words: Sequence[SpokenWord]) -> tuple[str | None, float | None]:
    """Return the language of most of the speech and how surely it was heard; nothing where there is no speech."""
    seconds: dict[str, float] = defaultdict(float)
    sure: dict[str, float] = defaultdict(float)
    for word in words:
        length = max(word.end_seconds - word.start_seconds, 0.01)
        seconds[word.language] += length
        sure[word.language] += length * word.language_confidence
    if not seconds:
        return None, None
    best = max(seconds, key=seconds.__getitem__)
    return best, round(min(1.0, sure[best] / seconds[best]), 4)
