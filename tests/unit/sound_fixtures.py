"""Small files with sound that is known to the sample, made with PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

PACKET = 1024


@dataclass(frozen=True, slots=True)
class Stretch:
    """Sound (channels, S) that begins at a time of the container's clock."""

    samples: np.ndarray
    start_seconds: float = 0.0


def silence(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    """Return (channels, S) of nothing."""
    return np.zeros((channels, round(seconds * rate)), np.float32)


def clicks(seconds: float, rate: int, *times: float, channels: int = 1) -> np.ndarray:
    """Return silence with one loud sample at each time."""
    samples = silence(seconds, rate, channels)
    for time in times:
        samples[:, round(time * rate)] = 0.9
    return samples


def tone(seconds: float, rate: int, hertz: float, amplitude: float, channels: int = 1) -> np.ndarray:
    """Return a sine."""
    wave = amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.tile(wave.astype(np.float32), (channels, 1))


def write(
    path: Path,
    rate: int,
    stretches: Sequence[Stretch],
    video_seconds: float = 0.0,
    codec: str = "pcm_s16le",
    layout: str = "",
    options: dict[str, str] | None = None,  # of the encoder
) -> Path:
    """Write sound, and a grey video from second 0 on where it is given a length."""
    layout = layout or {1: "mono", 2: "stereo", 6: "5.1"}[len(stretches[0].samples)]
    with av.open(str(path), "w") as container:
        if video_seconds:
            video = container.add_stream("mpeg4", 10, width=64, height=64, pix_fmt="yuv420p")
        sound = container.add_stream(codec, rate, layout=layout, options=options)
        if video_seconds:
            for index in range(round(video_seconds * 10)):
                frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 128, np.uint8), "rgb24")
                frame.pts = index
                frame.time_base = Fraction(1, 10)
                container.mux(video.encode(frame))
            container.mux(video.encode())
        for stretch in stretches:
            scaled = np.round(stretch.samples * 32767).astype(np.int16)  # (channels, S)
            for start in range(0, scaled.shape[1], PACKET):
                part = scaled[:, start : start + PACKET].T.reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), "s16", layout)
                frame.sample_rate = rate
                frame.time_base = Fraction(1, rate)
                frame.pts = round(stretch.start_seconds * rate) + start
                container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return path
