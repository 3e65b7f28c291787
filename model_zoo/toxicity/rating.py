"""Rate texts: undo disguises, ask both networks and the word list, and weigh what they say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_zoo.domain import Loaded
from model_zoo.toxicity.heads import LISTS, OVERALL, features, heads
from model_zoo.toxicity.lexicon import Find, lexicon
from model_zoo.toxicity.networks import CLASSIFIER, ENCODER, label_scores, sentence_vectors
from model_zoo.toxicity.plain import Plain, plain
from model_zoo.toxicity.schema import KEYS, Key, Passage
from model_zoo.values import Scores

FLAGGED = 0.5  # a key from this score on is said to be there
MOST_WORDS = 60  # rated at once; a longer text is as toxic as its worst stretch
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
_ENDS = re.compile(r"(?<=[.!?;\n])\s+")
_CLAUSE_ENDS = re.compile(r"(?<=[.!?;,\n])\s+")


@dataclass(frozen=True, slots=True)
class Rating:
    """How toxic one text is; keys that nothing covers are missing."""

    toxicity: float
    scores: Mapping[str, float]
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a text that is rated at once, and where it begins in it, in characters."""

    text: str
    start: int


def rate(texts: Sequence[str], models: Mapping[str, Loaded]) -> list[Rating]:
    """Rate every text."""
    stretches = [stretch for text in texts for stretch in split(text)]
    rated = _scores([stretch.text for stretch in stretches], models)
    passages = _passages(stretches, rated, models)
    ratings, at = [], 0
    for text in texts:
        own = range(at, at := at + len(split(text)))
        scores = {key: max((rated[key][row] for row in own), default=0.0) for key in rated}
        overall = scores.pop(OVERALL, 0.0)
        ratings.append(Rating(overall, scores, tuple(passage for row in own for passage in passages[row])))
    return ratings


def split(text: str, most_words: int = MOST_WORDS) -> list[Stretch]:
    """Cut a text at its ends of sentences into stretches of at most so many words; one without an end is cut hard."""
    stretches: list[Stretch] = []
    start = 0
    for piece in _pieces(text, _ENDS, most_words):
        words = len(text[start : piece.start + len(piece.text)].split())
        if words > most_words and piece.start > start:
            stretches.append(Stretch(text[start : piece.start].rstrip(), start))
            start = piece.start
    if text[start:].strip():
        stretches.append(Stretch(text[start:].rstrip(), start))
    return stretches


def _pieces(text: str, ends: re.Pattern[str], most_words: int) -> list[Stretch]:
    """Cut at every end, and after so many words where there is none."""
    cuts = [0, *(match.end() for match in ends.finditer(text)), len(text)]
    pieces = []
    for start, end in zip(cuts, cuts[1:], strict=False):
        words = [match.start() for match in re.finditer(r"\S+", text[start:end])]
        hard = [start, *(start + words[index] for index in range(most_words, len(words), most_words)), end]
        pieces += [Stretch(text[first:last], first) for first, last in zip(hard, hard[1:], strict=False)]
    return pieces


def text_features(texts: Sequence[str], models: Mapping[str, Loaded]) -> NDArray[np.float32]:
    """Return what the heads look at: (N, F)."""
    known = [plain(text) for text in texts]
    said = [text.text for text in known]
    labels, vectors = label_scores(models[CLASSIFIER], said), sentence_vectors(models[ENCODER], said)
    return features(labels, vectors, _strengths(known))


def _scores(texts: Sequence[str], models: Mapping[str, Loaded]) -> dict[str, list[float]]:
    """Return the scores of each text by key, with the overall one."""
    if not texts:
        return {}
    known = [plain(text) for text in texts]
    listed = dict(zip(LISTS, _strengths(known).T, strict=True))  # list -> (N,)
    labels = label_scores(models[CLASSIFIER], [text.text for text in known])
    by_label = {
        LABEL_KEYS[label]: labels[:, column]
        for column, label in enumerate(models[CLASSIFIER].spec.labels)
        if label in LABEL_KEYS
    }
    if not knows_heads(models):
        found = by_label
    else:
        vectors = sentence_vectors(models[ENCODER], [text.text for text in known])
        found = heads().scores(features(labels, vectors, _strengths(known)))
        found["profanity"] = by_label["profanity"] * UNLISTED
        found["sexual"] = np.maximum(found["sexual"], listed["sexual"])
    found["profanity"] = np.maximum.reduce(
        [found.get("profanity", listed["profanity"]), listed["profanity"], listed["hate_speech"]]
    )
    found["hate_speech"] = np.maximum(found.get("hate_speech", listed["hate_speech"]), listed["hate_speech"])
    found[OVERALL] = np.maximum.reduce([found[key] for key in (OVERALL, *HARMFUL) if key in found])
    return {key: [round(float(score), 4) for score in scores] for key, scores in found.items()}


def knows_heads(models: Mapping[str, Loaded]) -> bool:
    """Tell whether the heads were trained with these networks; else the classifier's own labels are taken."""
    trained = {CLASSIFIER: heads().classifier_sha256, ENCODER: heads().encoder_sha256}
    return all(role in models and models[role].spec.sha256 == sha256 for role, sha256 in trained.items())


def _strengths(texts: Sequence[Plain]) -> Scores:
    """Return the strength of the strongest word of each list: (N, L)."""
    strengths = np.zeros((len(texts), len(LISTS)), np.float32)
    for row, text in enumerate(texts):
        for find in _finds(text):
            column = LISTS.index(find.entry.key)
            strengths[row, column] = max(strengths[row, column], find.entry.strength)
    return strengths


def _finds(text: Plain) -> list[Find]:
    return list(lexicon().find([word.text for word in text.words]))


def _passages(
    stretches: Sequence[Stretch], scores: Mapping[str, Sequence[float]], models: Mapping[str, Loaded]
) -> list[list[Passage]]:
    """Return the places that speak for every flagged key: listed words, else the clauses that are flagged alone."""
    passages: list[list[Passage]] = []
    unexplained: list[tuple[int, str]] = []  # number of a stretch, key
    for row, stretch in enumerate(stretches):
        flagged = [key for key in KEYS if key in scores and scores[key][row] >= FLAGGED]
        listed = _listed(stretch, flagged)
        passages.append(listed)
        unexplained += [(row, key) for key in flagged if key not in {passage.key for passage in listed}]
    clauses = {row: _pieces(stretches[row].text, _CLAUSE_ENDS, MOST_WORDS) for row, _ in unexplained}
    alone = _clause_scores(clauses, models)
    for row, key in unexplained:
        start = stretches[row].start
        found = [part for part, rated in zip(clauses[row], alone[row], strict=True) if rated[key] >= FLAGGED]
        for part in found or [Stretch(stretches[row].text, 0)]:
            end = start + part.start + len(part.text.rstrip())
            passages[row].append(Passage(start=start + part.start, end=end, key=key))
    return [sorted(found, key=lambda passage: (passage.start, passage.end, passage.key)) for found in passages]


def _listed(stretch: Stretch, flagged: Sequence[str]) -> list[Passage]:
    text = plain(stretch.text)
    places = {
        (text.words[find.first].start, text.words[find.end - 1].end, find.entry.key)
        for find in _finds(text)
        if find.entry.key in flagged
    }
    return [Passage(start=stretch.start + start, end=stretch.start + end, key=key) for start, end, key in places]


def _clause_scores(
    clauses: Mapping[int, Sequence[Stretch]], models: Mapping[str, Loaded]
) -> dict[int, list[dict[str, float]]]:
    """Return the scores of every clause by itself; a text of one clause is not rated again."""
    several = {row: parts for row, parts in clauses.items() if len(parts) > 1}
    flat = _scores([part.text for parts in several.values() for part in parts], models)
    rated: dict[int, list[dict[str, float]]] = {row: [dict.fromkeys(KEYS, 1.0)] for row in clauses}
    at = 0
    for row, parts in several.items():
        rated[row] = [{key: flat[key][at + number] for key in flat} for number in range(len(parts))]
        at += len(parts)
    return rated
