"""From the outputs of moderation models to predictions, in the models' own labels."""

from __future__ import annotations

import numpy as np

from model_zoo.errors import MisfitError
from model_zoo.manifest import ModelSpec
from model_zoo.ops.boxes import as_boxes, from_centres, nms
from model_zoo.ops.geometry import place
from model_zoo.values import Frames, Prediction, Tensors

OPENNSFW_LABELS = ("sfw", "nsfw")
NSFWJS_LABELS = ("Drawing", "Hentai", "Neutral", "Porn", "Sexy")

# Both as in the nudenet package, whose results these are
LEAST_PART_SCORE = 0.25
MOST_PART_OVERLAP = 0.45


def opennsfw(outputs: Tensors, spec: ModelSpec, frames: Frames) -> list[Prediction]:
    """Read (N, 2): sfw and nsfw."""
    return _named_scores(outputs, spec, frames, OPENNSFW_LABELS)


def nsfwjs(outputs: Tensors, spec: ModelSpec, frames: Frames) -> list[Prediction]:
    """Read (N, 5): Drawing, Hentai, Neutral, Porn and Sexy."""
    return _named_scores(outputs, spec, frames, NSFWJS_LABELS)


def nudenet(outputs: Tensors, spec: ModelSpec, frames: Frames) -> list[Prediction]:
    """Read (N, 4 + K, A): centre x, centre y, width, height in input pixels and K class scores of A anchors.

    Each anchor speaks for its best class, and boxes of different classes push each other out too.
    """
    rows = outputs[spec.outputs[0]]
    best = rows[:, 4:].max(axis=1)  # (N, A)
    to_source = place(frames.view, frames.source_width, frames.source_height).to_source
    predictions = []
    for seconds, row, scores in zip(frames.seconds.tolist(), rows, best, strict=True):
        anchors = np.flatnonzero(scores > LEAST_PART_SCORE)  # (M,)
        boxes = to_source(from_centres(row[:4, anchors].T))
        kept = nms(boxes, scores[anchors], MOST_PART_OVERLAP)
        names = [spec.labels[index] for index in row[4:, anchors[kept]].argmax(axis=0).tolist()]
        predictions.append(Prediction(seconds, boxes=as_boxes(boxes[kept], scores[anchors[kept]], names)))
    return predictions


def _named_scores(outputs: Tensors, spec: ModelSpec, frames: Frames, labels: tuple[str, ...]) -> list[Prediction]:
    found = outputs[spec.outputs[0]]
    if found.shape != (len(frames), len(labels)):
        raise MisfitError(
            f"[{spec.name}] answered {len(frames)} pictures with {found.shape}, but the decoder {spec.decoder!r} reads "
            f"(N, {len(labels)}); see `width`, `height` and `outputs` of its entry"
        )
    rows = found.tolist()
    return [
        Prediction(seconds, dict(zip(labels, row, strict=True)))
        for seconds, row in zip(frames.seconds.tolist(), rows, strict=True)
    ]
