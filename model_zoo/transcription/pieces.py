"""Put stretches of speech together into pieces that fill the window of the transcriber, and undo it for its times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_zoo.transcription.stretches import Stretch
from model_zoo.values import Samples

Times = NDArray[np.float64]  # (W, 2) start and end in seconds


@dataclass(frozen=True, slots=True)
class Piece:
    """Stretches of speech, one after another without the pauses between them."""

    stretches: tuple[Stretch, ...]
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Return how much speech it is."""
        return sum(len(stretch.samples) for stretch in self.stretches) / self.sample_rate

    def fill(self, row: Samples) -> int:
        """Write the sound into `row`, (S,) of zeros, and return how many samples it has."""
        sound = np.concatenate([stretch.samples for stretch in self.stretches])[: len(row)]
        row[: len(sound)] = sound
        return len(sound)

    def in_media(self, times: Times) -> Times:
        """Turn times in the piece into times in the media; what reaches into a pause is cut there."""
        lengths = np.array([len(stretch.samples) for stretch in self.stretches]) / self.sample_rate
        ends = np.cumsum(lengths)  # (K,) of the stretches, in the piece
        starts = ends - lengths
        which = np.minimum(np.searchsorted(ends, times.mean(axis=1)), len(ends) - 1)[:, None]  # (W, 1)
        shift = np.array([stretch.start for stretch in self.stretches]) / self.sample_rate - starts
        moved: Times = np.clip(times, starts[which], ends[which]) + shift[which]
        return moved


class Packer:
    """Takes stretches in order and gives out pieces no longer than the transcriber's window."""

    def __init__(self, sample_rate: int, most_samples: int) -> None:
        self._sample_rate, self._most = sample_rate, most_samples
        self._stretches: list[Stretch] = []

    def add(self, stretch: Stretch) -> list[Piece]:
        """Return the piece that is complete because this stretch does not fit into it any more."""
        size = sum(len(one.samples) for one in self._stretches)
        done = self.finish() if size + len(stretch.samples) > self._most else []
        self._stretches.append(stretch)
        return done

    def finish(self) -> list[Piece]:
        """Return the piece that is not full."""
        stretches, self._stretches = tuple(self._stretches), []
        return [Piece(stretches, self._sample_rate)] if stretches else []
