"""Cut sound into windows, and windows into batches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from model_zoo.values import Samples, Sound, SoundWindows


@dataclass(frozen=True, slots=True)
class WantedSound:
    """One stream of windows that somebody wants: at which rate, how long, how often, how many at a time.

    The hop is at most the window, so that no sound goes unheard.
    """

    sample_rate: int
    window_seconds: float
    hop_seconds: float
    batch: int


class Cutter:
    """Takes one line of sound from second 0 on and gives out its windows; holds no more than one batch."""

    def __init__(self, wanted: WantedSound) -> None:
        self._rate, self._batch = wanted.sample_rate, wanted.batch
        self._size = max(1, round(wanted.window_seconds * wanted.sample_rate))
        self._step = max(1, round(wanted.hop_seconds * wanted.sample_rate))
        if self._step > self._size:
            raise ValueError(f"hop_seconds={wanted.hop_seconds}: longer than the window, {wanted.window_seconds}")
        self._room: Samples = np.zeros((wanted.batch - 1) * self._step + self._size, np.float32)
        self._held = 0  # samples in the room
        self._given = 0  # windows

    def add(self, sound: Sound) -> Iterator[SoundWindows]:
        """Give out the batches that a stretch of sound fills."""
        samples = sound.samples
        while len(samples):
            taken = min(len(samples), len(self._room) - self._held)
            self._room[self._held : self._held + taken] = samples[:taken]
            self._held += taken
            samples = samples[taken:]
            if self._held == len(self._room):
                yield self._cut(self._batch)

    def finish(self) -> Iterator[SoundWindows]:
        """Give out the rest; the last window is filled up with silence."""
        in_given_windows = self._size - self._step if self._given else 0
        if self._held > in_given_windows:
            self._room[self._held :] = 0
            yield self._cut(1 + max(0, math.ceil((self._held - self._size) / self._step)))

    def _cut(self, rows: int) -> SoundWindows:
        """Return the first windows in the room, and keep of the sound what the windows after them need."""
        starts = np.arange(rows) * self._step  # (N,)
        windows = SoundWindows(
            samples=sliding_window_view(self._room, self._size)[starts],
            seconds=(self._given * self._step + starts) / self._rate,
            filled=np.clip(self._held - starts, 0, self._size),
            sample_rate=self._rate,
        )
        rest = self._room[rows * self._step : self._held].copy()
        self._room[: len(rest)] = rest
        self._held = len(rest)
        self._given += rows
        return windows
