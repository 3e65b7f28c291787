"""Tell the speakers of one file apart: voices that are near each other are one speaker.

Agglomerative clustering: the two nearest groups become one as long as their mean voices are alike enough. Nothing is
compared with another file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model_zoo.transcription.schema import Speaker, SpeechSegment
from model_zoo.transcription.words import SpokenWord
from model_zoo.values import Tensor, Tensors

ALIKE = 0.73  # cosine of two mean voices; see the card for what was measured
SHORTEST_SECONDS = 1.0  # of speech that may be a speaker's only one; shorter speech goes to the nearest speaker
MOST_AT_ONCE = 1000  # voices that are compared each with each; of more, the groups of every thousand are

Voices = NDArray[np.float32]  # (N, K), each of length 1


def tell_apart(sentences: Sequence[Sequence[SpokenWord]], heard: Sequence[Tensors]) -> list[str | None]:
    """Return the speaker's id for each sentence, None where no voice was heard; `heard` is what `hear_voices` gave."""
    known = [arrays for arrays in heard if "voices" in arrays]
    if not known or not sentences:
        return [None] * len(sentences)
    times = np.concatenate([arrays["voice_times"] for arrays in known])  # (M, 2)
    voices = np.concatenate([arrays["voices"] for arrays in known])  # (M, K)
    spans = np.array([(words[0].start_seconds, words[-1].end_seconds) for words in sentences])  # (N, 2)
    means = np.stack([_voice(span, times, voices) for span in spans])  # (N, K)
    return _names(_groups(means, spans[:, 1] - spans[:, 0]), np.asarray(means.any(axis=1)))


def _voice(span: Tensor, times: Tensor, voices: Voices) -> Tensor:
    """Return the mean voice (K,) of a stretch of time, zeros where none was heard; windows count by their overlap."""
    overlap = np.minimum(times[:, 1], span[1]) - np.maximum(times[:, 0], span[0])  # (M,) seconds
    weights = np.maximum(overlap, 0.0) ** 2  # what lies across the edge may be somebody else's
    return _unit(weights @ voices)


def _groups(means: Voices, seconds: NDArray[np.float64]) -> NDArray[np.intp]:
    """Group the sentences (N,): the long ones among each other, each short one with the nearest of those."""
    long = (seconds >= SHORTEST_SECONDS) & means.any(axis=1)
    if not long.any():
        return cluster(means, seconds)
    groups = np.zeros(len(means), np.intp)
    groups[long] = cluster(means[long], seconds[long])
    centres = _unit(_sums(means[long], seconds[long], groups[long]))
    groups[~long] = (means[~long] @ centres.T).argmax(axis=1)
    return groups


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
    if len(voices) <= MOST_AT_ONCE:
        return _cluster(voices, weights)
    groups = np.zeros(len(voices), np.intp)
    for start in range(0, len(voices), MOST_AT_ONCE):
        part = slice(start, start + MOST_AT_ONCE)
        groups[part] = _cluster(voices[part], weights[part]) + (groups.max() + 1 if start else 0)
    sums = _sums(voices, weights, groups)
    return _cluster(_unit(sums), np.bincount(groups, weights).astype(np.float64))[groups]


def _cluster(voices: Voices, weights: NDArray[np.float64]) -> NDArray[np.intp]:
    groups = np.arange(len(voices))
    sums = voices.astype(np.float64) * weights[:, None]  # (N, K)
    means = _unit(sums)
    alike = means @ means.T  # (N, N)
    np.fill_diagonal(alike, -np.inf)
    while len(voices) > 1:
        one, other = sorted(np.unravel_index(int(alike.argmax()), alike.shape))
        if alike[one, other] < ALIKE:
            break
        groups[groups == other] = one
        sums[one] += sums[other]
        means[one] = _unit(sums[one])
        alike[one] = alike[:, one] = np.where(np.isneginf(alike[one]), -np.inf, means @ means[one])
        alike[other] = alike[:, other] = -np.inf
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
