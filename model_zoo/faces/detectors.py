"""The detectors that faces know: what their networks say, read into the same candidates for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_zoo.errors import ManifestError
from model_zoo.faces.alignment import TrainingSquare
from model_zoo.manifest import ModelSpec
from model_zoo.values import Tensors

STRIDES = (8, 16, 32)  # pixels of the input between the cells of the three grids of SCRFD and YuNet
SCRFD_ANCHORS = 2  # candidates of each cell


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a network says of N squares, in pixels of its input; A candidates each, in any order."""

    scores: NDArray[np.float32]  # (N, A) 0..1
    boxes: NDArray[np.float32]  # (N, A, 4)
    keypoints: NDArray[np.float32]  # (N, A, 6, 2) eyes at picture left and right, nose tip, mouth, then a pair


@dataclass(frozen=True, slots=True)
class Detector:
    """How one kind of network is read."""

    read: Callable[[Tensors, ModelSpec], Candidates]
    square: TrainingSquare
    mouth_corners: bool  # whether the pair of key points is the mouth's corners; else the ears


def as_told(outputs: Tensors, spec: ModelSpec) -> Candidates:
    """Read a network whose graph ends with scores, boxes and six key points."""
    return Candidates(*(outputs[name] for name in spec.outputs))


def scrfd(outputs: Tensors, spec: ModelSpec) -> Candidates:
    """Read InsightFace's SCRFD: distances from each cell's corner, two candidates a cell (Guo et al., 2021).

    Nine outputs: scores, boxes and five points, each of the grids of strides 8, 16 and 32.
    """
    cells, strides = grid(spec, SCRFD_ANCHORS)
    parts = [_rows(outputs, spec.outputs[start : start + 3], len(cells)) for start in (0, 3, 6)]
    scores, sides, points = parts
    sides, points = sides * strides, points * strides
    corners = cells * strides
    boxes = np.concatenate([corners - sides[..., :2], corners + sides[..., 2:]], axis=-1)
    return Candidates(scores[..., 0], boxes, _with_mouth(corners[:, None] + points.reshape(*points.shape[:2], 5, 2)))


def yunet(outputs: Tensors, spec: ModelSpec) -> Candidates:
    """Read OpenCV's YuNet: centres, logarithms of sizes and points, in strides from each cell (Wu et al., 2023).

    Twelve outputs: the class, whether there is anything, boxes and five points, each of strides 8, 16 and 32.
    """
    cells, strides = grid(spec, 1)
    parts = [_rows(outputs, spec.outputs[start : start + 3], len(cells)) for start in (0, 3, 6, 9)]
    classes, objects, boxes, points = parts
    scores = np.sqrt(np.clip(classes, 0, 1) * np.clip(objects, 0, 1))[..., 0]
    centres = (cells + boxes[..., :2]) * strides
    halves = np.exp(boxes[..., 2:]) * strides / 2
    places = (cells[:, None] + points.reshape(*points.shape[:2], 5, 2)) * strides[:, None]
    return Candidates(scores, np.concatenate([centres - halves, centres + halves], axis=-1), _with_mouth(places))


def grid(spec: ModelSpec, each: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return column and row (A, 2) of the cell of every candidate, and its stride (A, 1); row by row, fine first."""
    width, height = spec.sees().width, spec.sees().height
    cells, strides = [], []
    for stride in STRIDES:
        rows, columns = np.mgrid[: height // stride, : width // stride].reshape(2, -1)
        cells.append(np.repeat(np.stack([columns, rows], axis=1), each, axis=0))
        strides.append(np.full((len(cells[-1]), 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _rows(outputs: Tensors, names: tuple[str, ...], candidates: int) -> NDArray[np.float32]:
    """Return the three grids of one output as (N, A, numbers of a candidate); some files do not tell rows apart."""
    least = outputs[names[-1]]
    numbers = least.shape[-1]
    coarse = candidates // sum((STRIDES[-1] // stride) ** 2 for stride in STRIDES)
    count = least.size // (coarse * numbers)
    return np.concatenate([outputs[name].reshape(count, -1, numbers) for name in names], axis=1)


def _with_mouth(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put the middle of the mouth before its corners: (N, A, 5, 2) -> (N, A, 6, 2); pixels' centres become places."""
    places = points + 0.5
    mouth = places[:, :, 3:].mean(axis=2, keepdims=True)
    return np.concatenate([places[:, :, :3], mouth, places[:, :, 3:]], axis=2)


# the trees were trained on the squares of dlib's own detector: medians of the faces in the project's pictures
DETECTORS: Mapping[str, Detector] = {
    "blazeface_full_range": Detector(as_told, TrainingSquare(-0.008, 0.004, 0.928), mouth_corners=False),
    "blazeface_back": Detector(as_told, TrainingSquare(-0.024, -0.047, 0.982), mouth_corners=False),
    "scrfd": Detector(scrfd, TrainingSquare(-0.009, 0.080, 1.070), mouth_corners=True),
    # not measured: its boxes are those of WIDER FACE, as SCRFD's are
    "yunet": Detector(yunet, TrainingSquare(-0.009, 0.080, 1.070), mouth_corners=True),
}


def detector_of(spec: ModelSpec) -> Detector:
    """Return how a detector is read; raises ManifestError for a decoder that faces do not have."""
    if spec.decoder not in DETECTORS:
        raise foreign(spec, DETECTORS)
    sides = spec.sees().width, spec.sees().height
    if DETECTORS[spec.decoder].mouth_corners and any(not side or side % STRIDES[-1] for side in sides):
        raise ManifestError(f"[{spec.name}] {spec.decoder} needs sides in multiples of {STRIDES[-1]}, not {sides}")
    return DETECTORS[spec.decoder]


def foreign(spec: ModelSpec, known: Mapping[str, object]) -> ManifestError:
    """Return the error for an entry whose decoder its role does not have."""
    return ManifestError(f"[{spec.name}] decoder {spec.decoder!r} is not one of faces' {spec.role}: {', '.join(known)}")
