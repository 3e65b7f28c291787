"""Networks that hear what a test says, and windows of a sound for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from model_zoo.catalog import catalog, named
from model_zoo.domain import Loaded
from model_zoo.transcription.words import SpokenWord
from model_zoo.values import Samples, SoundWindows, Tensors

RATE, STEP = 16_000, 512
WINDOW, HOP = 163_840, 153_600  # samples


class LoudIsSpeech:
    """A voice detector for which every loud step is speech."""

    def run(self, tensors: Tensors) -> Tensors:
        """Answer for each step of 512 samples."""
        (waveform,) = tensors.values()
        steps = np.abs(waveform).reshape(len(waveform), -1, STEP).mean(axis=2)
        return {"speech": (steps > 0.05).astype(np.float32)}


@dataclass
class Parrot:
    """A transcriber that says one word a second, and remembers what it was asked."""

    language: str = "en"
    confidence: float = 0.9
    no_speech: float = 0.0
    log_probability: float = -0.2
    repetition: float = 1.1
    asked: list[Tensors] = field(default_factory=list)

    def run(self, tensors: Tensors) -> Tensors:
        """Say `w0`, `w1` ... at 0 to 0.5, 1 to 1.5 ... seconds of each row."""
        self.asked.append({name: rows for name, rows in tensors.items() if name != "waveform"})
        seconds = tensors["filled"] // RATE
        rows, most = len(seconds), int(seconds.max())
        starts = np.tile(np.arange(most), (rows, 1))
        return {
            "words": np.where(starts < seconds[:, None], np.array([f" w{n}" for n in range(most)])[None], ""),
            "word_times": np.stack([starts, starts + 0.5], axis=2).astype(np.float32),
            "word_confidences": np.full((rows, most), 0.8, np.float32),
            "language": np.full(rows, self.language),
            "language_confidence": np.full(rows, self.confidence, np.float32),
            "no_speech": np.full(rows, self.no_speech, np.float32),
            "log_probability": np.full(rows, self.log_probability, np.float32),
            "repetition": np.full(rows, self.repetition, np.float32),
        }


class PitchIsVoice:
    """A speaker network for which the number of zero crossings is the voice."""

    def run(self, tensors: Tensors) -> Tensors:
        """Answer with a direction in the plane."""
        (waveform,) = tensors.values()
        angle = (np.diff(np.signbit(waveform), axis=1).mean(axis=1) * 20).astype(np.float32)
        return {"embedding": np.stack([np.cos(angle), np.sin(angle)], axis=1)}


def loaded(name: str, model: object) -> Loaded:
    """Put a stand-in behind a manifest entry of the project."""
    (spec,) = named([name], catalog())
    return Loaded(spec, model)  # type: ignore[arg-type]


def windows_of(samples: Samples, at_once: int = 4) -> Iterator[SoundWindows]:
    """Cut a sound as the pipeline does: windows of 10.24 s, one every 9.6 s, the last one filled up."""
    count = 1 + max(0, -(-(len(samples) - WINDOW) // HOP))
    padded = np.pad(samples, (0, (count - 1) * HOP + WINDOW - len(samples)))
    for first in range(0, count, at_once):
        starts = np.arange(first, min(first + at_once, count)) * HOP
        yield SoundWindows(
            samples=np.stack([padded[start : start + WINDOW] for start in starts]),
            seconds=starts / RATE,
            filled=np.clip(len(samples) - starts, 0, WINDOW),
            sample_rate=RATE,
        )


def tone(seconds: float, pitch: float = 220.0) -> Samples:
    """Return something loud."""
    return (0.3 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def quiet(seconds: float) -> Samples:
    """Return silence."""
    return np.zeros(round(seconds * RATE), np.float32)


def word(text: str, start_seconds: float, end_seconds: float, language: str = "en") -> SpokenWord:
    """Return a word."""
    return SpokenWord(text, start_seconds, end_seconds, 0.9, language, 0.95)


def spoken_at(*texts: str, every_seconds: float = 0.5) -> Sequence[SpokenWord]:
    """Return words one after another, without pauses."""
    return [word(text, n * every_seconds, (n + 1) * every_seconds) for n, text in enumerate(texts)]
