"""From frames to faces: find, look again, place the points, measure, embed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from model_zoo.domain import Loaded
from model_zoo.faces.alignment import chip, landmarks
from model_zoo.faces.detection import LABEL, Found, detect
from model_zoo.faces.detectors import detector_of
from model_zoo.faces.embedders import Spots, embedder_of
from model_zoo.faces.quality import Quality, measure
from model_zoo.faces.second_look import confirmed, roll_of
from model_zoo.ops.boxes import as_boxes
from model_zoo.ops.geometry import place
from model_zoo.ops.image import Pyramid
from model_zoo.values import Frames, Prediction, Tensors, View

VIEW = View(1280, 1280, "letterbox", anchor="top_left")

Look = Callable[[Frames], list[Prediction]]


@dataclass(frozen=True, slots=True)
class Face:
    """One face of one frame."""

    points: NDArray[np.float64]  # (5, 2) in pixels of the source
    quality: Quality
    spots: Spots
    pyramid: Pyramid  # of the frame it is in


def finder(detector: Loaded) -> Callable[[Frames], list[Prediction]]:
    """Return what finds faces and measures them, but compares none; raises ManifestError for a foreign decoder."""
    detector_of(detector.spec)

    def look(frames: Frames) -> list[Prediction]:
        return [_prediction(*one, {}) for one in _faces(frames, detector)]

    return look


def recogniser(detector: Loaded, embedder: Loaded) -> Look:
    """Return what finds faces and embeds those good enough; the rows of all others are not a number."""
    detector_of(detector.spec)
    length = embedder_of(embedder.spec).length

    def look(frames: Frames) -> list[Prediction]:
        found = _faces(frames, detector)
        good = [face for *_, faces in found for face in faces if face.quality.recognisable]
        embedded = iter(_embed(embedder, good))
        predictions = []
        for seconds, boxes, faces in found:
            rows = [next(embedded) if face.quality.recognisable else np.full(length, np.nan) for face in faces]
            arrays = {"embedding": np.array(rows, np.float32).reshape(-1, length)}
            predictions.append(_prediction(seconds, boxes, faces, arrays))
        return predictions

    return look


def quality_of(row: NDArray[np.floating]) -> Quality:
    """Read a row of the array `quality` of a prediction."""
    return Quality(*row.tolist())


def _faces(frames: Frames, detector: Loaded) -> list[tuple[float, Found, list[Face]]]:
    """Return the time, the boxes in source pixels and the faces of each frame."""
    laid = place(frames.view, frames.source_width, frames.source_height)
    window = np.s_[:, laid.top : laid.top + laid.height, laid.left : laid.left + laid.width]
    pyramids = [Pyramid(picture) for picture in frames.pixels[window]]
    size = laid.width, laid.height
    found = detect(detector.model, detector.spec, pyramids, size, laid.scale_x) if pyramids else []
    found = confirmed(detector.model, detector.spec, pyramids, found)
    scale = np.array([laid.scale_x, laid.scale_y])
    most = np.tile([frames.source_width, frames.source_height], 2)
    answers = []
    for seconds, pyramid, seen in zip(frames.seconds.tolist(), pyramids, found, strict=True):
        faces = [_face(pyramid, *one, scale, detector) for one in zip(seen.boxes, seen.keypoints, strict=True)]
        boxes = np.clip(seen.boxes / np.tile(scale, 2), 0, most).astype(np.float32)
        answers.append((seconds, Found(boxes, seen.scores, seen.keypoints / scale), faces))
    return answers


def _face(
    pyramid: Pyramid,
    box: NDArray[np.float32],
    keypoints: NDArray[np.float32],
    scale: NDArray[np.float64],
    detector: Loaded,
) -> Face:
    kind = detector_of(detector.spec)
    centre = (box[:2] + box[2:]).astype(np.float64) / 2 - 0.5
    width = float(box[2] - box[0])
    points = landmarks(pyramid, centre, width, roll_of(keypoints), kind.square)
    upright = chip(pyramid, points)
    quality = measure(upright, keypoints, width / float(scale[0]))
    spots = Spots(upright, keypoints.astype(np.float64) - 0.5, kind.mouth_corners)
    return Face((points + 0.5) / scale, quality, spots, pyramid)


def _embed(embedder: Loaded, faces: Sequence[Face]) -> NDArray[np.float32]:
    kind, wanted = embedder_of(embedder.spec), embedder.spec.sees()
    if not faces:
        return np.empty((0, kind.length), np.float32)
    chips = np.stack([kind.cut(face.pyramid, face.spots) for face in faces])
    return kind.told(embedder.model.run({wanted.name: chips})[embedder.spec.outputs[0]])


def _prediction(seconds: float, found: Found, faces: Sequence[Face], more: Tensors) -> Prediction:
    return Prediction(
        seconds,
        boxes=as_boxes(found.boxes, found.scores, [LABEL] * len(faces)),
        arrays={
            "points": np.array([face.points for face in faces], np.float32).reshape(-1, 5, 2),
            "quality": np.array([tuple(asdict(face.quality).values()) for face in faces], np.float32).reshape(-1, 5),
            **more,
        },
    )
