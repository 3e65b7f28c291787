"""Toxicity: language that insults, threatens or hates, spoken, on the screen or given as text.

It watches nothing: it reads what `transcription` and `text` found. Two networks and a word list rate every piece of
text, a small head per key weighs them: rating.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from model_zoo.domain import Domain, Start, Summary
from model_zoo.manifest import ModelSpec
from model_zoo.toxicity.coverage import coverage, languages
from model_zoo.toxicity.foreign import ENGLISH, foreign
from model_zoo.toxicity.networks import CLASSIFIER, ENCODER, checked
from model_zoo.toxicity.pieces import Piece, origins, pieces
from model_zoo.toxicity.postprocess import segments
from model_zoo.toxicity.rating import knows_heads, rate
from model_zoo.toxicity.schema import RatedText, ToxicityPart


def start(start: Start) -> tuple[()]:
    """Ask for neither frames nor sound, but refuse models that cannot read."""
    for role, loaded in start.models.items():
        checked(role, loaded)
    return ()


def summarize(summary: Summary) -> ToxicityPart:
    """Rate every piece of text, and tell when there was toxic language."""
    known = languages(summary.models)
    found = list(pieces(summary.parts, summary.texts))
    unread = [piece for piece in found if known and piece.language and piece.language not in known]
    read = [_told(piece, known) for piece in found if piece not in unread]
    texts = _rated(read, summary)
    return ToxicityPart(
        segments=segments(texts),
        texts=texts,
        coverage=coverage(summary.models, origins(summary.parts, summary.texts), unread, read),
    )


def _told(piece: Piece, known: Sequence[str]) -> Piece:
    """Return a piece with the language that it plainly is in, where nobody said one and only English is known."""
    unsaid = piece.language is None and tuple(known) == (ENGLISH,)
    return replace(piece, language=foreign(piece.text)) if unsaid else piece


def _rated(found: Sequence[Piece], summary: Summary) -> list[RatedText]:
    ratings = rate([piece.text for piece in found], summary.loaded) if found else []
    return [
        RatedText(
            origin=piece.origin,
            text=piece.text,
            start_seconds=piece.start_seconds,
            end_seconds=piece.end_seconds,
            toxicity=rating.toxicity,
            scores=dict(rating.scores),
            passages=list(rating.passages),
            item=piece.item,
            item_id=piece.item_id,
            language=piece.language,
        )
        for piece, rating in zip(found, ratings, strict=True)
    ]


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
)
