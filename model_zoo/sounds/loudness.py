"""Level, loudness and clipping of sound, without a network.

Loudness follows ITU-R BS.1770-4: the power after two filters (a shelf for the head, a high pass) in blocks of 400 ms,
four times overlapping, averaged behind two gates. The filters are applied in the frequency domain.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model_zoo.ops.time import runs
from model_zoo.values import Listener, Prediction, SoundWindows

RATE = 48_000  # the standard gives its filters for this rate
BLOCK_SECONDS = 0.4
HOP_SECONDS = 0.1

LEVEL = "level"  # root mean square of a block, 1 being full scale
WEIGHTED = "weighted_level"  # the same after the filters
CLIPPED = "clipped_share"

FULL_SCALE = 0.999
OFFSET_LUFS = -0.691
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0
LEAST_LEVEL = 1e-6  # -120 dBFS

SILENT_DBFS = -60.0
SHORTEST_SILENCE_SECONDS = 1.0

# ITU-R BS.1770-4, tables 1 and 2: coefficients of (1, z^-1, z^-2)
_SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))

Levels = NDArray[np.float64]  # (T,) one per block


def listener(role: str) -> Listener:
    """Return what measures every block."""
    return Listener(role, RATE, BLOCK_SECONDS, HOP_SECONDS, measure)


def measure(blocks: SoundWindows) -> Sequence[Prediction]:
    """Measure level, weighted level and clipping of each block, of its part that is sound."""
    samples, filled = blocks.samples.astype(np.float64), np.maximum(blocks.filled, 1)  # (N, S), (N,)
    power = (samples**2).sum(axis=1) / filled
    weighted = _weighted_energy(samples) / filled
    clipped = (np.abs(samples) >= FULL_SCALE).sum(axis=1) / filled
    columns = (np.sqrt(power), np.sqrt(weighted), clipped)
    rows = np.minimum(np.stack(columns, axis=1), 1.0).tolist()
    return [
        Prediction(seconds, dict(zip((LEVEL, WEIGHTED, CLIPPED), row, strict=True)))
        for seconds, row in zip(blocks.seconds.tolist(), rows, strict=True)
    ]


def _weighted_energy(samples: NDArray[np.float64]) -> Levels:
    """Return the sum of squares (N,) after the filters, by Parseval's theorem."""
    spectrum = np.fft.rfft(samples, axis=1)  # (N, F)
    turns = np.exp(-2j * np.pi * np.arange(spectrum.shape[1]) / samples.shape[1])  # z^-1 on the unit circle, (F,)
    gain = np.ones(len(turns))
    for above, below in (_SHELF, _HIGH_PASS):
        gain *= np.abs(np.polyval(above[::-1], turns) / np.polyval(below[::-1], turns)) ** 2
    twice = np.full(len(turns), 2.0)  # a real signal has every frequency twice, but for the first and the last
    twice[0] = 1.0
    if samples.shape[1] % 2 == 0:
        twice[-1] = 1.0
    energy: Levels = (np.abs(spectrum) ** 2 * gain * twice).sum(axis=1) / samples.shape[1]
    return energy


def column(predictions: Sequence[Prediction], name: str) -> Levels:
    """Return one measure of all blocks (T,)."""
    return np.array([prediction.scores[name] for prediction in predictions], np.float64)


def dbfs(level: float) -> float:
    """Turn a level, 1 being full scale, into decibels; -120 is the least."""
    return round(20 * float(np.log10(max(level, LEAST_LEVEL))), 2)


def integrated_lufs(weighted: Levels) -> float | None:
    """Return the gated loudness of all blocks; None where none is above the absolute gate."""
    powers = weighted**2
    loud = powers[_lufs(powers) > ABSOLUTE_GATE_LUFS]
    if not len(loud):
        return None
    louder = loud[_lufs(loud) > float(_lufs(loud.mean(keepdims=True))[0]) + RELATIVE_GATE_LU]
    return round(float(_lufs(louder.mean(keepdims=True))[0]), 2)


def _lufs(powers: Levels) -> Levels:
    levels: Levels = OFFSET_LUFS + 10 * np.log10(np.maximum(powers, LEAST_LEVEL**2))
    return levels


def silences(seconds: NDArray[np.float64], levels: Levels, end_seconds: float) -> list[tuple[float, float, int]]:
    """Return start, end and number of blocks of each silence; a block is silent only where all of it is."""
    found = []
    for first, last in zip(*runs(levels < 10 ** (SILENT_DBFS / 20)), strict=True):
        start, end = float(seconds[first]), min(float(seconds[last]) + BLOCK_SECONDS, end_seconds)
        if end - start >= SHORTEST_SILENCE_SECONDS:
            found.append((start, end, int(last - first + 1)))
    return found
