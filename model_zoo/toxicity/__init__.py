"""Toxicity: language that insults, threatens or hates, spoken, on the screen or given as text.

It watches nothing: it reads what `transcription` and `text` found. Two networks and a word list rate every piece of
text, a small head per key weighs them: rating.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from model_zoo.domain import Domain, Start, Summary
from model_zoo.fits import Fits, one_a_label
from model_zoo.manifest import ModelSpec
from model_zoo.toxicity.coverage import coverage, languages
from model_zoo.toxicity.foreign import ENGLISH, foreign
from model_zoo.toxicity.networks import CLASSIFIER, DECODERS, ENCODER, checked
from model_zoo.toxicity.pieces import Piece, origins, pieces
from model_zoo.toxicity.postprocess import segments
from model_zoo.toxicity.rating import Rating, knows_heads, rate
from model_zoo.toxicity.schema import RatedText, ToxicityPart


def start(start: Start) -> tuple[()]:
    """Ask for neither frames nor sound, but refuse models that cannot read."""
    for role, loaded in start.models.items():
        checked(role, loaded)
    return ()


def summarize(summary: Summary) -> ToxicityPart:
    """Rate every piece of text, as far as there is time, and tell when there was toxic language."""
    known = languages(summary.models)
    unread: list[Piece] = []
    readable: list[Piece] = []
    for piece in pieces(summary.parts, summary.texts):
        understood = not known or not piece.language or piece.language in known
        (readable if understood else unread).append(piece)
    ratings = rate([piece.text for piece in readable], summary.loaded, summary.stops) if readable else []
    read = [_told(piece, known) for piece, _ in zip(readable, ratings, strict=False)]
    whole = sum(rating.characters == len(piece.text) for piece, rating in zip(read, ratings, strict=True))
    left = len(readable) - whole
    texts = [_rated_text(piece, rating) for piece, rating in zip(read, ratings, strict=True)]
    return ToxicityPart(
        segments=segments(texts),
        texts=texts,
        coverage=coverage(summary.models, origins(summary.parts, summary.texts), unread, read, left),
    )


def _told(piece: Piece, known: Sequence[str]) -> Piece:
    """Return a piece with the language that it plainly is in, where nobody said one and only English is known."""
    unsaid = piece.language is None and tuple(known) == (ENGLISH,)
    return replace(piece, language=foreign(piece.text)) if unsaid else piece


def _rated_text(piece: Piece, rating: Rating) -> RatedText:
    """Return what the report says of a piece, or of the beginning of it that was read."""
    return RatedText(
        origin=piece.origin,
        text=piece.text[: rating.characters],
        start_seconds=piece.start_seconds,
        end_seconds=piece.end_seconds,
        toxicity=rating.toxicity,
        scores=dict(rating.scores),
        passages=list(rating.passages),
        item=piece.item,
        item_id=piece.item_id,
        language=piece.language,
    )


def idle(specs: Mapping[str, ModelSpec]) -> frozenset[str]:
    """Leave out the encoder where its heads do not know the classifier."""
    return frozenset() if knows_heads(specs) else frozenset({ENCODER} & specs.keys())


DOMAIN = Domain(
    name="toxicity",
    title="insults, threats, hate and profanity, spoken, on the screen or in text",
    roles={CLASSIFIER: True, ENCODER: True},
    reads=("transcription", "text"),
    start=start,
    summarize=summarize,
    part=ToxicityPart,
    idle=idle,
    fits={
        CLASSIFIER: Fits("text", DECODERS[CLASSIFIER], columns=one_a_label),
        ENCODER: Fits("text", DECODERS[ENCODER]),
    },
)
