"""The networks that compare faces: the picture that each wants of a face, and how far apart one person's may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_zoo.faces.alignment import cut
from model_zoo.faces.detectors import foreign
from model_zoo.manifest import ModelSpec
from model_zoo.ops.image import Picture, Pyramid

ARCFACE_SIDE = 112
# Where InsightFace's and OpenCV's networks want the eyes at picture left and right, the tip of the nose, and the
# corners of the mouth: pixels of the chip, as published with ArcFace (Deng et al., 2019).
ARCFACE_POINTS = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


@dataclass(frozen=True, slots=True)
class Spots:
    """A face and where its parts are, in the picture it was looked for in."""

    chip: Picture  # (150, 150, 3) upright, as dlib's network was trained
    keypoints: NDArray[np.float64]  # (6, 2) as the detector's; whole numbers are the centres of pixels
    mouth_corners: bool  # whether the last two key points are the mouth's corners


@dataclass(frozen=True, slots=True)
class Embedder:
    """How one kind of network is used; distances are Euclidean."""

    length: int  # numbers of an embedding
    cut: Callable[[Pyramid, Spots], Picture]
    same_person: float  # largest distance of two groups of one person: the card tells how it was measured
    another_face: float  # distance of a face from the mean of its track, above which it is somebody else's
    unit: bool = False  # whether only the direction of an embedding counts, so that all are brought to length 1

    def told(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the network said as what is compared: (M, D) -> (M, D)."""
        if not self.unit:
            return embeddings
        lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
        told: NDArray[np.float32] = embeddings / np.maximum(lengths, 1e-12)
        return told


def dlib_chip(_pyramid: Pyramid, spots: Spots) -> Picture:
    """Return the chip (150, 150, 3) that dlib's network was trained on: the face is measured by it, too."""
    return spots.chip


def arcface_chip(pyramid: Pyramid, spots: Spots) -> Picture:
    """Cut out the chip (112, 112, 3) of InsightFace's and OpenCV's networks; the mouth's corners count if known."""
    order = [0, 1, 2, 4, 5] if spots.mouth_corners else [0, 1, 2, 3]
    target = ARCFACE_POINTS
    if not spots.mouth_corners:
        target = np.vstack([target[:3], target[3:].mean(axis=0)])
    return cut(pyramid, spots.keypoints[order], target, ARCFACE_SIDE)


EMBEDDERS: Mapping[str, Embedder] = {
    "dlib_face": Embedder(128, dlib_chip, same_person=0.55, another_face=0.65),
    "arcface": Embedder(512, arcface_chip, same_person=1.2, another_face=1.3, unit=True),
    "sface": Embedder(128, arcface_chip, same_person=1.128, another_face=1.2, unit=True),
}


def embedder_of(spec: ModelSpec) -> Embedder:
    """Return how a network that compares faces is used; raises ManifestError for a decoder that faces do not have."""
    if spec.decoder not in EMBEDDERS:
        raise foreign(spec, EMBEDDERS)
    return EMBEDDERS[spec.decoder]
