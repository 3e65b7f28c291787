"""Read lines of text: crops of one height are batched by width, and the network's answer becomes characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_zoo.domain import Loaded

Picture = NDArray[np.uint8]  # (H, W, 3) RGB

WIDTH_STEP = 64  # pixels; lines are padded to a multiple, so that few different widths are run
MOST_WIDTH = 1600  # pixels; longer lines are squeezed
VISIBLE_SPACE = "\u2420"  # what the charset file writes for a wide space


@dataclass(frozen=True, slots=True)
class Reading:
    """What a line says."""

    text: str
    confidence: float  # mean over its characters, 0..1; 0 where there is none


def read_lines(lines: Sequence[Picture], recogniser: Loaded) -> list[Reading]:
    """Read every picture of one line (H, W, 3), of any size."""
    spec = recogniser.spec
    fitted = [fit_line(line, spec.sees().height, spec.sees().pad) for line in lines]
    readings = [Reading("", 0.0)] * len(lines)
    for width in sorted({picture.shape[1] for picture in fitted}):
        rows = [row for row, picture in enumerate(fitted) if picture.shape[1] == width]
        for start in range(0, len(rows), spec.batch.most):
            batch = rows[start : start + spec.batch.most]
            outputs = recogniser.model.run({spec.sees().name: np.stack([fitted[row] for row in batch])})
            for row, reading in zip(batch, decode(outputs[spec.outputs[0]], spec.labels), strict=True):
                readings[row] = reading
    return readings


def fit_line(line: Picture, height: int, pad: int) -> Picture:
    """Scale a line to `height`, keeping its aspect ratio, and pad it on the right to a multiple of `WIDTH_STEP`."""
    width = min(max(1, round(line.shape[1] * height / line.shape[0])), MOST_WIDTH)
    fitted: Picture = np.full((height, -(-width // WIDTH_STEP) * WIDTH_STEP, 3), pad, np.uint8)
    fitted[:, :width] = resize(line, width, height)
    return fitted


def resize(picture: Picture, width: int, height: int) -> Picture:
    """Scale a picture bilinearly; where it shrinks, the filter grows with it, so that nothing is skipped."""
    tall, wide = picture.shape[:2]
    lines = _weights(tall, height) @ picture.reshape(tall, -1).astype(np.float32)  # (height, wide * 3)
    columns = lines.reshape(height, wide, 3).transpose(1, 0, 2).reshape(wide, -1)  # (wide, height * 3)
    scaled = (_weights(wide, width) @ columns).reshape(width, height, 3).transpose(1, 0, 2)
    resized: Picture = np.rint(scaled).astype(np.uint8)
    return resized


def _weights(length: int, wanted: int) -> NDArray[np.float32]:
    """Return how much each of `length` pixels gives to each of the `wanted`: (wanted, length), rows add up to 1."""
    scale = length / wanted
    centres = (np.arange(wanted) + 0.5) * scale - 0.5
    apart = np.abs(np.clip(centres, 0, length - 1)[:, None] - np.arange(length)) / max(scale, 1.0)
    weights = np.maximum(1 - apart, 0).astype(np.float32)
    normal: NDArray[np.float32] = weights / weights.sum(axis=1, keepdims=True)
    return normal


def decode(probabilities: NDArray[np.float32], charset: Sequence[str]) -> list[Reading]:
    """Decode greedily (Graves et al., Connectionist Temporal Classification, 2006).

    `probabilities` (N, T, K): class 0 is the blank, then the charset, the last class is a space.
    """
    best = probabilities.argmax(axis=2)  # (N, T)
    sure = probabilities.max(axis=2)
    fresh = (best != 0) & np.diff(best, axis=1, prepend=0).astype(bool)  # a character, not the one before going on
    readings = []
    for classes, scores in ((best[row][fresh[row]], sure[row][fresh[row]]) for row in range(len(best))):
        text = "".join(charset[index - 1] if index <= len(charset) else " " for index in classes.tolist())
        confidence = float(scores.mean()) if len(scores) else 0.0
        readings.append(Reading(text.replace(VISIBLE_SPACE, " ").strip(), confidence))
    return readings
