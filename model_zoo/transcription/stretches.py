"""Cut a sound at its pauses: from the probability of speech, step by step, to stretches of speech as they end.

A step is what the network of the role `voice` says one number of. No more of the sound is held than one stretch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_zoo.ops.time import runs
from model_zoo.values import Samples, Scores

OPEN_AT = 0.5  # speech begins with a step this sure
CLOSE_BELOW = 0.35  # a pause is made of steps below this
PAUSE_SECONDS = 0.5  # a shorter pause does not end a stretch
AROUND_SECONDS = 0.2  # of the sound before and after the speech is kept: breath, soft consonants
SHORTEST_SECONDS = 0.1  # a shorter burst is no speech
LONGEST_SECONDS = 28.0  # speech without a pause is cut, at the weakest place of its second half


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the sound in which somebody speaks."""

    start: int  # number of its first sample, from the start of the sound
    samples: Samples  # (S,)


class SpeechCutter:
    """Takes one sound in order, with the probabilities of its steps, and gives out stretches of speech."""

    def __init__(self, sample_rate: int, step_samples: int) -> None:
        self._step = step_samples
        second = sample_rate / step_samples
        self._pause, self._around, self._shortest, self._longest = (
            round(seconds * second) for seconds in (PAUSE_SECONDS, AROUND_SECONDS, SHORTEST_SECONDS, LONGEST_SECONDS)
        )
        self._samples: Samples = np.zeros(0, np.float32)
        self._speech: Scores = np.zeros(0, np.float32)  # (T,) of the steps that are held
        self._start = 0  # sample that is held first

    def add(self, samples: Samples, speech: Scores) -> Iterator[Stretch]:
        """Give out the stretches that end in the sound so far: `samples` (S,) are the steps of `speech` (T,)."""
        self._samples = np.concatenate([self._samples, samples])
        self._speech = np.concatenate([self._speech, speech])
        yield from self._cut(at_end=False)

    def finish(self) -> Iterator[Stretch]:
        """Give out what is left at the end of the sound."""
        yield from self._cut(at_end=True)

    def _cut(self, at_end: bool) -> Iterator[Stretch]:
        while True:
            opened = np.flatnonzero(self._speech >= OPEN_AT)
            if not len(opened):
                self._drop(max(0, len(self._speech) - self._around))
                return
            first = int(opened[0])
            end, after = self._end(first, at_end)
            if end is None:
                self._drop(max(0, first - self._around))
                return
            if end - first >= self._shortest:
                begin = max(0, first - self._around)
                yield Stretch(
                    self._start + begin * self._step, self._samples[begin * self._step : after * self._step].copy()
                )
            self._drop(after)

    def _end(self, first: int, at_end: bool) -> tuple[int | None, int]:
        """Return the step where the speech from `first` ends, None while it goes on, and up to where it is kept."""
        quiet_from, quiet_to = runs(self._speech[first:] < CLOSE_BELOW)
        long = quiet_to - quiet_from + 1 >= self._pause
        end = first + int(quiet_from[long][0]) if long.any() else None
        if (end or len(self._speech)) - first > self._longest:
            cut = first + self._weakest(self._speech[first : first + self._longest])
            return cut, cut
        if end is not None:
            return end, end + self._around
        return (len(self._speech), len(self._speech)) if at_end else (None, 0)

    def _weakest(self, speech: NDArray[np.float32]) -> int:
        """Return the step at which to cut speech that has no pause: amid the longest quiet of its second half."""
        half = len(speech) // 2
        first, last = runs(speech[half:] < CLOSE_BELOW)
        if len(first):
            longest = int(np.argmax(last - first))
            return half + int(first[longest] + last[longest] + 1) // 2
        return half + int(np.argmin(speech[half:]))

    def _drop(self, steps: int) -> None:
        """Hold no more what lies before a step."""
        self._samples = self._samples[steps * self._step :]
        self._speech = self._speech[steps:]
        self._start += steps * self._step
