"""Mix the channels of decoded sound to one, so that what sounds in any of them is heard."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import isqrt

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

Weights = NDArray[np.float32]  # (C,)
Block = NDArray[np.float32]  # (S, C)

BLOCK_SECONDS = 0.1  # how long a stretch is judged, and mixed, as one
MOST_BLOCK_VALUES = 1 << 22  # 16 MB, however many channels there are
MOST_LOSS = 10**-1.5  # 15 dB: the power of the mix beside the loudest channel; one front speaker of six loses 14
LEAST_POWER = 1e-6  # -60 dBFS: what is below is silence anyway
KEPT_CHANNEL_SHARE = 0.5  # of the loudest channel's power: so much keeps the one that was added before
FADE_SECONDS = 0.02
_PROBE = 0.5  # below full scale, where integers end


class Mixer:
    """Takes frames of any layout, and gives out frames of one channel, about a tenth of a second long.

    The weights of the channels are libswresample's. Where they cancel each other out, or leave out the one that sounds
    (opposite phase, the bass channel), the loudest channel is added to the mix. Sound of one channel passes as it is.
    """

    def __init__(self) -> None:
        """Begin with the first frame that is added."""
        self.lifted_seconds = 0.0  # of the sound to which its loudest channel was added
        self._packer: AudioResampler | None = None
        self._weights: Weights = np.zeros(0, np.float32)
        self._added: Weights = np.zeros(0, np.float32)
        self._blocks: list[Block] = []
        self._held = self._given = self._rate = 0  # samples, samples, samples per second

    def add(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        """Give out what a frame completes; all frames until `finish` have one format, layout and rate."""
        if frame.layout.name == "mono":
            yield frame
            return
        channels = frame.layout.nb_channels
        if self._packer is None:
            # packed, because PyAV reads past the end of frames with a plane for each of eight and more channels
            self._packer = AudioResampler(format="flt")
            self._weights, self._rate = weights_of(frame.layout), frame.sample_rate
            self._added = np.zeros(channels, np.float32)
        for part in self._packer.resample(frame):
            packed = part.to_ndarray().astype(np.float32, copy=False)  # (1, S * C)
            self._blocks.append(packed.reshape(-1, channels))
            self._held += part.samples
        if self._held >= self._rate * BLOCK_SECONDS or self._held * channels >= MOST_BLOCK_VALUES:
            yield self._mixed()

    def finish(self) -> Iterator[AudioFrame]:
        """Give out the rest; after it sound of another kind may come."""
        if self._held:
            yield self._mixed()
        self._packer, self._given = None, 0

    def _mixed(self) -> AudioFrame:
        block: Block = np.concatenate(self._blocks)
        self._blocks, self._held = [], 0
        before, self._added = self._added, self._lift(block)
        heard = block @ self._weights  # (S,)
        if before.any() or self._added.any():
            fade = np.minimum(np.arange(len(block), dtype=np.float32) / (FADE_SECONDS * self._rate), 1)
            heard += (block @ before) * (1 - fade) + (block @ self._added) * fade
        if self._added.any():
            self.lifted_seconds += len(block) / self._rate
        frame = AudioFrame.from_ndarray(heard[None].astype(np.float32), "flt", "mono")
        frame.sample_rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), self._given
        self._given += len(block)
        return frame

    def _lift(self, block: Block) -> Weights:
        """Return what is added to the mix for a block: the loudest channel where the mix lost it, else nothing."""
        together = block.T @ block / len(block)  # (C, C)
        powers = np.diagonal(together)
        added = np.zeros_like(self._weights)
        most = float(powers.max())
        if most > LEAST_POWER and float(self._weights @ together @ self._weights) < MOST_LOSS * most:
            before = int(self._added.argmax())
            kept = self._added.any() and powers[before] > KEPT_CHANNEL_SHARE * most
            added[before if kept else int(powers.argmax())] = 1
        return added


def weights_of(layout: AudioLayout) -> Weights:
    """Return how much of each channel (C,) is in the mix: libswresample's weights, else all alike.

    Of ambisonic sound it is the first channel, what comes from all around, and those that have no direction.
    """
    channels = layout.nb_channels
    if layout.name.startswith("ambisonic"):
        heard = [0, *range(isqrt(channels) ** 2, channels)]
        return (np.bincount(heard, minlength=channels) / len(heard)).astype(np.float32)
    one_by_one = _PROBE * np.eye(channels, dtype=np.float32).reshape(1, -1)
    frame = AudioFrame.from_ndarray(one_by_one, "flt", layout)
    frame.sample_rate = 48_000
    try:
        # to integers: only then does the mix to mono keep within full scale
        parts = AudioResampler(format="s32", layout="mono", rate=48_000).resample(frame)
    except av.error.FFmpegError:
        return np.full(channels, 1 / channels, np.float32)
    mixed = np.concatenate([part.to_ndarray()[0] for part in parts])  # (C,)
    return (mixed / (_PROBE * 2**31)).astype(np.float32)
