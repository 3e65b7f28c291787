"""Tell the speakers of one file apart: voices that are near each other are one speaker.

Agglomerative clustering with average linkage: the two nearest groups become one as long as their voices are alike
enough. Nothing is compared with another file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from model_zoo.transcription.likeness import Likeness
from model_zoo.transcription.schema import Speaker, SpeechSegment
from model_zoo.transcription.words import SpokenWord
from model_zoo.values import Tensor, Tensors

ALIKE = 0.73  # mean cosine of the voices of two groups; see the card for what was measured
SHORTEST_SECONDS = 1.0  # of speech that may be a speaker's only one; shorter speech goes to the nearest speaker
BREATH_SECONDS = 0.5  # after a longer pause somebody else may go on with the sentence
# A group that says less than this, or than this share of all that is said, joins the nearest if that is so alike
LITTLE_SECONDS, LITTLE_SHARE, ALIKE_IN_LITTLE = 3.0, 0.2, 0.65
LEAST_WEIGHT = 1e-3  # of a voice, for words of no length
MOST_AT_ONCE = 1000  # voices that are compared each with each; of more, the groups of every thousand are

Voices = NDArray[np.float32]  # (N, K), each of length 1


def said_by(
    sentences: Sequence[Sequence[SpokenWord]], heard: Sequence[Tensors]
) -> Iterator[tuple[list[SpokenWord], str | None]]:
    """Yield every sentence with its speaker, cut where another voice goes on after a breath."""
    phrases = [_phrases(sentence) for sentence in sentences]
    names = iter(tell_apart([phrase for several in phrases for phrase in several], heard))
    for several in phrases:
        words: list[SpokenWord] = []
        speaker = None
        for phrase in several:
            name = next(names)
            if words and name != speaker:
                yield words, speaker
                words = []
            words, speaker = [*words, *phrase], name
        yield words, speaker


def _phrases(sentence: Sequence[SpokenWord]) -> list[Sequence[SpokenWord]]:
    cuts = [
        number
        for number, (word, following) in enumerate(pairwise(sentence), start=1)
        if following.start_seconds - word.end_seconds > BREATH_SECONDS
    ]
    return [sentence[start:end] for start, end in pairwise([0, *cuts, len(sentence)])]


def tell_apart(phrases: Sequence[Sequence[SpokenWord]], heard: Sequence[Tensors]) -> list[str | None]:
    """Return the speaker's id for each phrase, None where no voice was heard; `heard` is what `hear_voices` gave."""
    known = [arrays for arrays in heard if "voices" in arrays]
    if not known or not phrases:
        return [None] * len(phrases)
    times = np.concatenate([arrays["voice_times"] for arrays in known])  # (M, 2)
    voices = np.concatenate([arrays["voices"] for arrays in known])  # (M, K)
    spans = np.array([(words[0].start_seconds, words[-1].end_seconds) for words in phrases])  # (N, 2)
    means = np.stack([_voice(span, times, voices) for span in spans])  # (N, K)
    return _names(_groups(means, spans[:, 1] - spans[:, 0]), np.asarray(means.any(axis=1)))


def _voice(span: Tensor, times: Tensor, voices: Voices) -> Tensor:
    """Return the mean voice (K,) of a stretch of time, zeros where none was heard; windows count by their overlap."""
    near = slice(int(np.searchsorted(times[:, 1], span[0])), int(np.searchsorted(times[:, 0], span[1])))
    overlap = np.minimum(times[near, 1], span[1]) - np.maximum(times[near, 0], span[0])  # seconds
    weights = np.maximum(overlap, 0.0) ** 2  # what lies across the edge may be somebody else's
    return _unit(weights @ voices[near])


def _groups(means: Voices, seconds: NDArray[np.float64]) -> NDArray[np.intp]:
    """Group the phrases (N,): the long ones among each other, each short one with the nearest of those."""
    long = (seconds >= SHORTEST_SECONDS) & means.any(axis=1)
    if not long.any():
        return cluster(means, seconds)
    groups = np.zeros(len(means), np.intp)
    groups[long] = _without_little(means[long], seconds[long], cluster(means[long], seconds[long]))
    centres = _unit(_sums(means[long], seconds[long], groups[long]))
    groups[~long] = (means[~long] @ centres.T).argmax(axis=1)
    return groups


def _without_little(means: Voices, seconds: NDArray[np.float64], groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """Give groups that say little to the nearest other, the smallest first, unless they sound quite different."""
    least = min(LITTLE_SECONDS, LITTLE_SHARE * float(seconds.sum()))
    sums, said = _sums(means, seconds, groups), np.bincount(groups, seconds)
    centres = _unit(sums)
    alike = Likeness(centres @ centres.T)
    groups = groups.copy()
    while len(little := np.flatnonzero((said < least) & (alike.best >= ALIKE_IN_LITTLE))):
        smallest = int(little[said[little].argmin()])
        other = int(alike.nearest[smallest])
        groups[groups == smallest] = other
        sums[other] += sums[smallest]
        said[other] += said[smallest]
        centres[other] = _unit(sums[other])
        alike.unite(other, smallest, centres @ centres[other])
    return np.unique(groups, return_inverse=True)[1]


def _names(groups: NDArray[np.intp], heard: NDArray[np.bool_]) -> list[str | None]:
    """Number the groups in the order in which they speak first."""
    order = {group: f"speaker-{number}" for number, group in enumerate(dict.fromkeys(groups[heard].tolist()), 1)}
    return [order[group] if known else None for group, known in zip(groups.tolist(), heard.tolist(), strict=True)]


def speakers_of(segments: Sequence[SpeechSegment]) -> list[Speaker]:
    """Return who speaks, in the order of the first word."""
    found: dict[str, list[SpeechSegment]] = {}
    for segment in segments:
        if segment.speaker:
            found.setdefault(segment.speaker, []).append(segment)
    return [
        Speaker(
            id=name,
            seconds_of_speech=round(sum(one.end_seconds - one.start_seconds for one in several), 3),
            first_heard_seconds=several[0].start_seconds,
            last_heard_seconds=max(one.end_seconds for one in several),
        )
        for name, several in found.items()
    ]


def cluster(voices: Voices, weights: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the number of a group for each voice (N,)."""
    weights = np.maximum(weights, LEAST_WEIGHT)
    if len(voices) <= MOST_AT_ONCE:
        return _cluster(voices, weights)
    groups = np.zeros(len(voices), np.intp)
    for start in range(0, len(voices), MOST_AT_ONCE):
        part = slice(start, start + MOST_AT_ONCE)
        groups[part] = _cluster(voices[part], weights[part]) + (groups.max() + 1 if start else 0)
    totals = np.bincount(groups, weights).astype(np.float64)
    return _cluster(_sums(voices, weights, groups) / totals[:, None], totals)[groups]


def _cluster(voices: Tensor, weights: NDArray[np.float64]) -> NDArray[np.intp]:
    """Unite groups: the product of two mean voices, as they are, is the mean cosine of all pairs of their voices."""
    groups = np.arange(len(voices))
    totals = weights.copy()  # (N,)
    means = voices.astype(np.float64)  # (N, K)
    alike = Likeness(means @ means.T)
    while alike.best.max() >= ALIKE:
        best = int(alike.best.argmax())
        one, other = sorted((best, int(alike.nearest[best])))
        groups[groups == other] = one
        share = totals[other] / (totals[one] + totals[other])
        means[one] += share * (means[other] - means[one])
        totals[one] += totals[other]
        alike.unite(one, other, means @ means[one])
    return np.unique(groups, return_inverse=True)[1]


def _sums(voices: Voices, weights: NDArray[np.float64], groups: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the weighted sum of the voices of each group, (G, K)."""
    sums = np.zeros((int(groups.max()) + 1, voices.shape[1]))
    np.add.at(sums, groups, voices * weights[:, None])
    return sums


def _unit(sums: Tensor) -> Tensor:
    lengths = np.linalg.norm(sums, axis=-1, keepdims=True)
    unit: Tensor = sums / np.maximum(lengths, 1e-9)
    return unit
