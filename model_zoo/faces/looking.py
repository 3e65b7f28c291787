"""From frames to faces: find, look again, place the points, measure, embed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from model_zoo.domain import Loaded
from model_zoo.errors import ManifestError
from model_zoo.faces.alignment import TRAINING_SQUARES, TrainingSquare, chip, landmarks
from model_zoo.faces.detection import Found, detect, input_of
from model_zoo.faces.quality import Quality, measure
from model_zoo.faces.second_look import confirmed, roll_of
from model_zoo.ops.boxes import as_boxes
from model_zoo.ops.geometry import place
from model_zoo.ops.image import Picture, Pyramid
from model_zoo.values import Frames, Prediction, Tensors, View

VIEW = View(1280, 1280, "letterbox", anchor="top_left")
EMBEDDERS = {"dlib_face": 128}  # decoder -> numbers of an embedding
LABEL = "face"

Look = Callable[[Frames], list[Prediction]]


@dataclass(frozen=True, slots=True)
class Face:
    """One face of one frame; places are pixels of the source."""

    points: NDArray[np.float64]  # (5, 2)
    chip: Picture
    quality: Quality


def finder(detector: Loaded) -> Callable[[Frames], list[Prediction]]:
    """Return what finds faces and measures them, but compares none; raises ManifestError for a foreign decoder."""
    square = _square(detector)

    def look(frames: Frames) -> list[Prediction]:
        return [_prediction(*one, {}) for one in _faces(frames, detector, square)]

    return look


def recogniser(detector: Loaded, embedder: Loaded) -> Look:
    """Return what finds faces and embeds those good enough; the rows of all others are not a number."""
    square = _square(detector)
    if embedder.spec.decoder not in EMBEDDERS:
        raise _foreign(embedder, list(EMBEDDERS))
    length = EMBEDDERS[embedder.spec.decoder]

    def look(frames: Frames) -> list[Prediction]:
        found = _faces(frames, detector, square)
        chips = [face.chip for *_, faces in found for face in faces if face.quality.recognisable]
        embedded = iter(_embed(embedder, chips, length))
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


def _square(detector: Loaded) -> TrainingSquare:
    if detector.spec.decoder not in TRAINING_SQUARES:
        raise _foreign(detector, list(TRAINING_SQUARES))
    return TRAINING_SQUARES[detector.spec.decoder]


def _foreign(model: Loaded, known: Sequence[str]) -> ManifestError:
    spec = model.spec
    return ManifestError(f"[{spec.name}] decoder {spec.decoder!r} is not one of faces' {spec.role}: {', '.join(known)}")


def _faces(frames: Frames, detector: Loaded, square: TrainingSquare) -> list[tuple[float, Found, list[Face]]]:
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
        faces = [_face(pyramid, *one, scale, square) for one in zip(seen.boxes, seen.keypoints, strict=True)]
        boxes = np.clip(seen.boxes / np.tile(scale, 2), 0, most).astype(np.float32)
        answers.append((seconds, Found(boxes, seen.scores, seen.keypoints / scale), faces))
    return answers


def _face(
    pyramid: Pyramid,
    box: NDArray[np.float32],
    keypoints: NDArray[np.float32],
    scale: NDArray[np.float64],
    square: TrainingSquare,
) -> Face:
    centre = (box[:2] + box[2:]).astype(np.float64) / 2 - 0.5
    width = float(box[2] - box[0])
    points = landmarks(pyramid, centre, width, roll_of(keypoints), square)
    cut = chip(pyramid, points)
    return Face((points + 0.5) / scale, cut, measure(cut, keypoints, width / float(scale[0])))


def _embed(embedder: Loaded, chips: Sequence[Picture], length: int) -> NDArray[np.float32]:
    if not chips:
        return np.empty((0, length), np.float32)
    spec = embedder.spec
    embeddings: NDArray[np.float32] = embedder.model.run({input_of(spec).name: np.stack(chips)})[spec.outputs[0]]
    return embeddings


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
