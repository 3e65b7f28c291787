"""Recordings of known speech from the richer test media, alone and joined to one long file."""

from __future__ import annotations

import json
import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from faster_whisper.audio import decode_audio
from numpy.typing import NDArray

from benchmarks.media_sets import RICH_MEDIA

RATE = 16_000
PAUSE_SECONDS = 0.7

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recording:
    """What somebody says."""

    name: str
    samples: Samples  # (S,) mono, 16 kHz
    text: str
    language: str


def recordings() -> list[Recording]:
    """Return every recording of speech whose words are known."""
    truth = json.loads((RICH_MEDIA / "ground_truth.json").read_text("utf-8"))["speech"]
    return [
        Recording(name, decode_audio(str(RICH_MEDIA / name), RATE), known["text"], known["language"])
        for name, known in truth.items()
        if name.startswith("speech/")
    ]


def joined(parts: Sequence[Samples], pause_seconds: float = PAUSE_SECONDS) -> Samples:
    """Return sounds one after another, with silence between them."""
    pause = np.zeros(round(pause_seconds * RATE), np.float32)
    return np.concatenate([sound for part in parts for sound in (part, pause)])


def written(name: str, samples: Samples) -> Path:
    """Write a sound to a WAV file in a temporary folder that outlives the process."""
    path = Path(tempfile.gettempdir()) / "reelwarden-bench-clips" / f"{name}.wav"
    path.parent.mkdir(exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path
