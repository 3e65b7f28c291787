"""How well each key is covered: by which networks, for which languages, in which texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model_zoo.manifest import ModelSpec
from model_zoo.report import Coverage, Grade
from model_zoo.toxicity.networks import CLASSIFIER
from model_zoo.toxicity.pieces import SCREEN_DOMAIN, SPEECH_DOMAIN, WORDS, Piece
from model_zoo.toxicity.rating import LABEL_KEYS, knows_heads
from model_zoo.toxicity.schema import LABELS, OVERALL, Origin

LISTED = ("profanity", "hate_speech", "sexual")  # a listed word is enough for these, whatever the networks are
NO_MODEL = "none of the models that ran knows it"
NO_TEXT = f"needs speech (the domain {SPEECH_DOMAIN}), on-screen text (the domain {SCREEN_DOMAIN}) or a text file"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one key."""

    grade: Grade
    reason: str = ""


def coverage(
    models: Mapping[str, ModelSpec],
    origins: Sequence[Origin],
    unread: Sequence[Piece],
    rated: Sequence[Piece],
    left: int = 0,
) -> list[Coverage]:
    """Return one entry per key and one for the overall score.

    `rated` pieces of text were rated; `unread` were not, being in a language that no model knows, and so many were
    `left`, or not read to their end, as the analysis was stopped. While anything is unread no key is covered, whatever
    else was rated: only the source says that something was. Text that only looks like another language is rated all the
    same, but that is weak evidence where it is a text that was given, or all there is.
    """
    known = _known(models)
    read = languages(models)
    strange = [piece for piece in rated if read and piece.language and piece.language not in read]
    weak = bool(strange) and (len(strange) == len(rated) or any(piece.origin == "text" for piece in strange))
    source = ", ".join(f"toxicity/{spec.name}" for spec in asked(models))
    entries = []
    for label in LABELS:
        if label not in known:
            entries.append(Coverage(label=label, grade="not covered", reason=NO_MODEL))
        elif reason := _out_of_reach(models, origins, unread, len(rated)):
            entries.append(Coverage(label=label, grade="not covered", reason=reason))
        else:
            stopped = f"the analysis ended before all was rated (texts left: {left:,})" if left else ""
            reach = _reach(models, origins, unread, strange)
            words = "; ".join(filter(None, (known[label].reason, reach, stopped)))
            grade: Grade = "not covered" if unread else "weak evidence" if weak else known[label].grade
            entries.append(Coverage(label=label, grade=grade, source=source, reason=words))
    return entries


def asked(models: Mapping[str, ModelSpec]) -> list[ModelSpec]:
    """Return the networks that are asked: the encoder only where its heads know the classifier."""
    return list(models.values()) if knows_heads(models) else [models[CLASSIFIER]]


def languages(models: Mapping[str, ModelSpec]) -> tuple[str, ...]:
    """Return the languages that every network that is asked understands; none where they take any."""
    limited = [set(spec.text.languages) for spec in asked(models) if spec.text and spec.text.languages]
    return tuple(sorted(set.intersection(*limited))) if limited else ()


def _known(models: Mapping[str, ModelSpec]) -> dict[str, Known]:
    if knows_heads(models):
        trained: Grade = "trained classifier"
        return {
            "profanity": Known(trained, "decided by a word list"),
            "sexual": Known("weak evidence", "a word list, and a head that was taught with few sentences"),
            **{key: Known(trained) for key in ("hate_speech", "insult", "violence_or_threat", OVERALL)},
            "harassment_or_abuse": Known(trained, "taught with few sentences"),
        }
    own = {LABEL_KEYS[label] for label in models[CLASSIFIER].labels if label in LABEL_KEYS}
    listed = {key: Known("weak evidence", "only what is on a word list") for key in LISTED if key not in own}
    return {key: Known("trained classifier") for key in own} | listed


def _out_of_reach(
    models: Mapping[str, ModelSpec], origins: Sequence[Origin], unread: Sequence[Piece], rated: int
) -> str:
    """Say why nothing was rated at all; empty where something could be."""
    if not origins:
        return NO_TEXT
    if unread and not rated:
        return f"speech is in {_named(unread)}; the models know {', '.join(languages(models))} only"
    return ""


def _reach(
    models: Mapping[str, ModelSpec], origins: Sequence[Origin], unread: Sequence[Piece], strange: Sequence[Piece]
) -> str:
    known = languages(models)
    words = f"in {' and '.join(WORDS[origin] for origin in origins)}"
    if known:
        words += f", language {', '.join(known)}"
    if unread:
        words += f"; not rated: speech in {_named(unread)} (stretches: {len(unread)})"
    if strange:
        looks = f"text that looks like {_named(strange)} ({len(strange)} times)"
        words += f"; rated as if it were {', '.join(known)}: {looks}"
    return words


def _named(unread: Sequence[Piece]) -> str:
    return ", ".join(sorted({piece.language or "" for piece in unread}))
