"""Whose voice is it? Numbers for stretches of speech, near for one speaker."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model_zoo.domain import Loaded
from model_zoo.manifest import SoundInput
from model_zoo.transcription.stretches import Stretch
from model_zoo.values import Samples, Tensor

RAISED_TO = 10 ** (-30 / 20)  # root mean square that a quieter stretch is brought to, as in the network's training


def hear_voices(stretches: Sequence[Stretch], speakers: Loaded) -> dict[str, Tensor]:
    """Return `voice_times` (M, 2) in seconds and `voices` (M, K), a vector of length 1 for each window of speech."""
    taken = speakers.spec.hears()
    cut = [_windows(stretch, taken) for stretch in stretches]
    rows = np.concatenate([windows for windows, _ in cut])
    voices = speakers.model.run({taken.name: rows})[speakers.spec.outputs[0]]
    return {"voice_times": np.concatenate([times for _, times in cut]), "voices": voices}


def _windows(stretch: Stretch, taken: SoundInput) -> tuple[Samples, Tensor]:
    """Cut a stretch into windows (M, S), the last up to its end; a short one is repeated until it fills a window."""
    sound, size = _raised(stretch.samples), taken.samples
    if len(sound) <= size:
        starts = np.zeros(1, np.int64)
        sound = np.resize(sound, size)
    else:
        hop = round(taken.hop_seconds * taken.sample_rate)
        starts = np.append(np.arange(0, len(sound) - size, hop), len(sound) - size)
    windows = np.stack([sound[start : start + size] for start in starts])
    ends = np.minimum(starts + size, len(stretch.samples))
    times = (stretch.start + np.stack([starts, ends], axis=1)) / taken.sample_rate  # (M, 2)
    return windows, times


def _raised(sound: Samples) -> Samples:
    level = float(np.sqrt(np.mean(sound.astype(np.float64) ** 2)))
    return (sound * max(1.0, RAISED_TO / max(level, 1e-6))).astype(np.float32)
