"""How well a face can be recognised: its size, how sharp it is, where it looks. A poor face is counted, not compared.

The pose is an estimate from the detector's key points, on the assumption that the tip of a nose stands out from the
eyes by 0.55 of their distance, and lies 0.6 of the way down to the mouth in a face that looks straight ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_zoo.ops.image import Picture

NOSE_OUT = 0.55  # of the distance of the eyes
NOSE_DOWN = 0.6  # of the way from the eyes to the mouth

LEAST_PIXELS = 32.0  # width of the box in the source
LEAST_SHARPNESS = 5.0
MOST_YAW_DEGREES = 50.0
MOST_PITCH_DEGREES = 40.0
FULLY_LARGE_PIXELS = 150.0  # more of these does not make a face worth more
FULLY_SHARP = 100.0


@dataclass(frozen=True, slots=True)
class Quality:
    """What decides whether a face can be recognised."""

    size_pixels: float  # width of its box in the source
    sharpness: float  # variance of the Laplacian of the chip's grey values
    yaw_degrees: float  # turned to the picture's right
    pitch_degrees: float  # looking up
    roll_degrees: float  # tilted clockwise

    @property
    def recognisable(self) -> bool:
        """Whether the face is good enough to be compared with others."""
        return (
            self.size_pixels >= LEAST_PIXELS
            and self.sharpness >= LEAST_SHARPNESS
            and abs(self.yaw_degrees) <= MOST_YAW_DEGREES
            and abs(self.pitch_degrees) <= MOST_PITCH_DEGREES
        )

    @property
    def worth(self) -> float:
        """How well it shows a face, 0 to 1: large, sharp and frontal."""
        frontal = np.cos(np.radians(self.yaw_degrees)) * np.cos(np.radians(self.pitch_degrees))
        large = min(1.0, self.size_pixels / FULLY_LARGE_PIXELS)
        sharp = min(1.0, self.sharpness / FULLY_SHARP)
        return float(frontal**2 * (large * sharp) ** 0.5)


def measure(chip: Picture, keypoints: NDArray[np.floating], size_pixels: float) -> Quality:
    """Measure a face by its chip (150, 150, 3) and its key points (6, 2)."""
    yaw, pitch, roll = pose_degrees(keypoints)
    return Quality(size_pixels, sharpness(chip), yaw, pitch, roll)


def sharpness(chip: Picture) -> float:
    """Return the variance of the Laplacian over the face itself, the central two thirds of the chip."""
    margin = chip.shape[0] // 6
    grey = chip[margin:-margin, margin:-margin].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((around - 4 * grey[1:-1, 1:-1]).var())


def pose_degrees(keypoints: NDArray[np.floating]) -> tuple[float, float, float]:
    """Estimate yaw, pitch and roll from the eyes at picture left and right, the tip of the nose and the mouth."""
    left, right, nose, mouth = np.asarray(keypoints[:4], np.float64)
    eyes = (left + right) / 2
    across = right - left
    apart = max(float(np.hypot(*across)), 1e-6)
    along = across / apart
    down = np.array([-along[1], along[0]])
    length = max(float((mouth - eyes) @ down), 1e-6)
    yaw = np.arctan2(float((nose - eyes) @ along), NOSE_OUT * apart)
    pitch = np.arctan2((NOSE_DOWN - float((nose - eyes) @ down) / length) * length, NOSE_OUT * apart)
    roll = np.arctan2(along[1], along[0])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))
