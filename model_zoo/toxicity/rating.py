"""Rate texts: undo disguises, ask both networks and the word list, and weigh what they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from model_zoo.domain import Loaded, Stops, never_stops
from model_zoo.manifest import ModelSpec
from model_zoo.toxicity.heads import LISTS, features, heads
from model_zoo.toxicity.lexicon import lexicon
from model_zoo.toxicity.networks import CLASSIFIER, ENCODER, label_scores, sentence_vectors
from model_zoo.toxicity.passages import FLAGGED, Stretch, passages, stretches
from model_zoo.toxicity.plain import Plain, plain
from model_zoo.toxicity.schema import LABELS, OVERALL, Key, Passage
from model_zoo.values import Scores

AT_ONCE = 128  # stretches and sentences; after so many it is asked whether to stop
UNLISTED = 0.5  # how far the classifier's word alone counts for profanity, which the list decides
HARMFUL: tuple[Key, ...] = ("hate_speech", "insult", "violence_or_threat", "harassment_or_abuse")
LABEL_KEYS: Mapping[str, str] = {  # what classifiers of the Jigsaw challenges call it -> key
    "toxic": OVERALL,
    "toxicity": OVERALL,
    "obscene": "profanity",
    "identity_hate": "hate_speech",
    "identity_attack": "hate_speech",
    "sexual_explicit": "sexual",
    "insult": "insult",
    "threat": "violence_or_threat",
    "severe_toxic": "harassment_or_abuse",
    "severe_toxicity": "harassment_or_abuse",
}


@dataclass(frozen=True, slots=True)
class Rating:
    """How toxic one text is; keys that nothing covers are missing."""

    toxicity: float
    scores: Mapping[str, float]
    passages: tuple[Passage, ...]
    characters: int  # of the text that were read, from its start: all, or fewer where the rating was stopped


def rate(texts: Sequence[str], models: Mapping[str, Loaded], stops: Stops = never_stops) -> list[Rating]:
    """Rate every text: it is as toxic as the worst of its stretches and sentences.

    Where `stops` says so, only the first texts are rated, and the last of these may have been read in part.
    """
    parts: list[list[Stretch]] = [[] for _ in texts]
    flat: dict[str, list[float]] = {}
    read = [len(text) for text in texts]  # characters
    for batch in _batches(texts):
        number = batch[0][0]
        if flat:
            done = max((part.end for part in parts[number]), default=0)
            where = f"character {done:,} of number {number + 1:,}" if done else f"number {number:,}"
            if stops(f"texts rated up to {where} of {len(texts):,}"):
                read = [*read[:number], done] if done else read[:number]
                break
        for owner, part in batch:
            parts[owner].append(part)
        for key, scores in _scores([part for _, part in batch], models).items():
            flat.setdefault(key, []).extend(scores)
    rows = iter(range(sum(map(len, parts))))
    return [
        _rating(text[:characters], own, flat, list(islice(rows, len(own))))
        for text, own, characters in zip(texts, parts, read, strict=False)
    ]


def _batches(texts: Sequence[str]) -> Iterator[list[tuple[int, Stretch]]]:
    """Yield the parts of the texts, each with the number of its text, so many at once; longer texts are in several."""
    parts = ((number, part) for number, text in enumerate(texts) for part in stretches(text))
    while batch := list(islice(parts, AT_ONCE)):
        yield batch


def _rating(text: str, parts: Sequence[Stretch], flat: Mapping[str, Sequence[float]], rows: Sequence[int]) -> Rating:
    """Return the rating of a text whose parts have these rows among the scores."""
    scores = {key: max((flat[key][row] for row in rows), default=0.0) for key in LABELS if key in flat}
    flagged: list[str] = [key for key in LABELS if scores.get(key, 0.0) >= FLAGGED]
    if any(key in flagged for key in HARMFUL):
        flagged.remove(OVERALL)  # what harms says more
    of_parts = {key: [flat[key][row] for row in rows] for key in flagged}
    overall = scores.pop(OVERALL, 0.0)
    return Rating(overall, scores, passages(text, parts, of_parts), len(text))


def text_features(texts: Sequence[str], models: Mapping[str, Loaded]) -> NDArray[np.float32]:
    """Return what the heads look at: (N, F)."""
    known = [plain(text) for text in texts]
    said = [text.text for text in known]
    labels, vectors = label_scores(models[CLASSIFIER], said), sentence_vectors(models[ENCODER], said)
    return features(labels, vectors, _strengths(known))


def _scores(parts: Sequence[Stretch], models: Mapping[str, Loaded]) -> dict[str, list[float]]:
    """Return the scores of each part by key, with the overall one."""
    if not parts:
        return {}
    known = [plain(part.text) for part in parts]
    listed = dict(zip(LISTS, _strengths(known).T, strict=True))  # list -> (N,)
    labels = label_scores(models[CLASSIFIER], [text.text for text in known])
    by_label = {
        LABEL_KEYS[label]: labels[:, column]
        for column, label in enumerate(models[CLASSIFIER].spec.labels)
        if label in LABEL_KEYS
    }
    if not knows_heads({role: loaded.spec for role, loaded in models.items()}):
        found = by_label
    else:
        vectors = sentence_vectors(models[ENCODER], [text.text for text in known])
        found = heads().scores(features(labels, vectors, _strengths(known)))
        found["profanity"] = by_label["profanity"] * UNLISTED
    among = np.array([part.among for part in parts], np.float32)
    found = {key: discounted(scores, among) for key, scores in found.items()}
    found["profanity"] = np.maximum.reduce(
        [found.get("profanity", listed["profanity"]), listed["profanity"], listed["hate_speech"]]
    )
    for key in ("hate_speech", "sexual"):
        found[key] = np.maximum(found.get(key, listed[key]), listed[key])
    found[OVERALL] = np.maximum.reduce([found[key] for key in (OVERALL, *HARMFUL) if key in found])
    return {key: [round(float(score), 4) for score in scores] for key, scores in found.items()}


def discounted(scores: Scores, among: Scores) -> Scores:
    """Divide the odds of a sentence by the number of sentences: of many, some look bad by chance."""
    return np.asarray(scores / (scores + (1 - scores) * among), np.float32)


def knows_heads(models: Mapping[str, ModelSpec]) -> bool:
    """Tell whether the heads were trained with these networks; else the classifier's own labels are taken."""
    trained = {CLASSIFIER: heads().classifier_sha256, ENCODER: heads().encoder_sha256}
    return all(role in models and models[role].sha256 == sha256 for role, sha256 in trained.items())


def _strengths(texts: Sequence[Plain]) -> Scores:
    """Return the strength of the strongest word of each list: (N, L)."""
    strengths = np.zeros((len(texts), len(LISTS)), np.float32)
    for row, text in enumerate(texts):
        for find in lexicon().find([word.text for word in text.words]):
            column = LISTS.index(find.entry.key)
            strengths[row, column] = max(strengths[row, column], find.entry.strength)
    return strengths
