"""From the answers of the transcriber to words in the media, with guards against words that nobody said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_zoo.manifest import ModelSpec
from model_zoo.transcription.pieces import Piece
from model_zoo.values import Tensor, Tensors

# The limits of OpenAI's own decoder: such a row is silence or noise, or a text that goes round in circles
NO_SPEECH_FROM = 0.6
UNLIKELY_BELOW = -1.0  # mean logarithm of the probability of a token
REPETITIVE_FROM = 2.4  # how well a text compresses

CODE = "U3"  # one type for every language, so that rows of several files can share a batch


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One word, where it was said."""

    text: str  # with the space before it, where the language has one
    start_seconds: float
    end_seconds: float
    confidence: float
    language: str
    language_confidence: float


@dataclass(frozen=True, slots=True)
class Usual:
    """What one file was mostly spoken in so far."""

    file_number: int  # no other file that is heard has it
    language: str  # "" where nothing is sure yet
    seconds: float  # of the speech in it


def ask(pieces: Sequence[Piece], spec: ModelSpec, language: str, usual: Usual, beam_size: int) -> dict[str, Tensor]:
    """Return the inputs of the transcriber for some pieces, one a row."""
    taken = spec.hears()
    waveform = np.zeros((len(pieces), taken.samples), np.float32)
    filled = np.array([piece.fill(row) for piece, row in zip(pieces, waveform, strict=True)], np.int64)
    return {
        taken.name: waveform,
        "filled": filled,
        "language": np.full(len(pieces), language, CODE),
        "file_number": np.full(len(pieces), usual.file_number, np.int64),
        "usual_language": np.full(len(pieces), usual.language, CODE),
        "usual_seconds": np.full(len(pieces), usual.seconds, np.float64),
        "beam_size": np.full(len(pieces), beam_size, np.int64),
    }


def spoken(outputs: Tensors, pieces: Sequence[Piece]) -> list[SpokenWord]:
    """Read the answers (N, W) and keep what was really said, in the order of the media."""
    words = []
    for row, piece in enumerate(pieces):
        if not _is_believed(outputs, row):
            continue
        texts = [text for text in outputs["words"][row].tolist() if text]
        times = piece.in_media(outputs["word_times"][row, : len(texts)].astype(np.float64))
        language, sure = str(outputs["language"][row]), float(outputs["language_confidence"][row])
        confidences = outputs["word_confidences"][row, : len(texts)].tolist()
        words += [
            SpokenWord(text, start, max(start, end), confidence, language, sure)
            for text, (start, end), confidence in zip(texts, times.tolist(), confidences, strict=True)
        ]
    return words


def _is_believed(outputs: Tensors, row: int) -> bool:
    no_speech, likely = float(outputs["no_speech"][row]), float(outputs["log_probability"][row])
    if no_speech >= NO_SPEECH_FROM and likely < UNLIKELY_BELOW:
        return False
    return float(outputs["repetition"][row]) < REPETITIVE_FROM


def as_arrays(words: Sequence[SpokenWord]) -> dict[str, Tensor]:
    """Return words as the arrays of a prediction, one row a word."""
    return {
        "words": np.array([word.text for word in words], str),
        "times": np.array([(word.start_seconds, word.end_seconds) for word in words], np.float64).reshape(-1, 2),
        "confidences": np.array([word.confidence for word in words], np.float32),
        "languages": np.array([word.language for word in words], str),
        "language_confidences": np.array([word.language_confidence for word in words], np.float32),
    }


def from_arrays(arrays: Tensors) -> list[SpokenWord]:
    """Return the words of a prediction."""
    if "words" not in arrays:
        return []
    columns = (arrays[name].tolist() for name in ("words", "times", "confidences", "languages", "language_confidences"))
    return [
        SpokenWord(text, start, end, confidence, language, sure)
        for text, (start, end), confidence, language, sure in zip(*columns, strict=True)
    ]
