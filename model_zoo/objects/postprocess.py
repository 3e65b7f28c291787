"""From a detector's outputs to boxes, segments and tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from model_zoo.manifest import ModelSpec
from model_zoo.objects.schema import ObjectSegment, ObjectTrack
from model_zoo.ops.boxes import as_boxes, box_shares, nms, nms_by_class
from model_zoo.ops.geometry import place
from model_zoo.ops.time import SpanRule, box_series, segment_fields, spans, within
from model_zoo.ops.tracks import Track, link
from model_zoo.report import TrackPoint
from model_zoo.values import Box, Frames, Indices, Prediction, Scores, Span, Tensors

RULE = SpanRule(open_at=0.5, close_below=0.35, hold_seconds=1.5, merge_gap_seconds=2.0)
MOST_OVERLAP = 0.6  # IoU of two boxes of one class
SAME_THING = 0.85  # IoU of boxes of two classes: the detector wavers between names for one thing
MOST_CANDIDATES = 1000  # of one frame, before boxes of the same thing are united
MOST_BOXES = 100  # of one frame


def boxes_of_frames(outputs: Tensors, spec: ModelSpec, frames: Frames) -> list[Prediction]:
    """Read the scores (N, A, K) of K classes and the boxes (N, A, 4) in input pixels, A being anchors."""
    all_scores, all_boxes = (outputs[name] for name in spec.outputs)
    to_source = place(frames.view, frames.source_width, frames.source_height).to_source
    predictions = []
    for seconds, scores, boxes in zip(frames.seconds.tolist(), all_scores, all_boxes, strict=True):
        anchors, classes = _candidates(scores)  # (M,), (M,)
        found = scores[anchors, classes]
        kept = nms_by_class(boxes[anchors], found, classes, MOST_OVERLAP)
        kept = kept[nms(boxes[anchors[kept]], found[kept], SAME_THING)][:MOST_BOXES]
        names = [spec.labels[index] for index in classes[kept].tolist()]
        predictions.append(Prediction(seconds, boxes=as_boxes(to_source(boxes[anchors[kept]]), found[kept], names)))
    return predictions


def _candidates(scores: Scores) -> tuple[Indices, Indices]:
    """Return the anchors and classes of the best scores of one frame (A, K)."""
    anchors = np.flatnonzero(scores.max(axis=1) >= RULE.close_below)  # few: looking at all A * K values takes longer
    rows, classes = np.nonzero(scores[anchors] >= RULE.close_below)
    best = np.argsort(-scores[anchors[rows], classes], kind="stable")[:MOST_CANDIDATES]
    return anchors[rows[best]], classes[best]


def class_segments(predictions: Sequence[Prediction], step_seconds: float, end_seconds: float) -> list[ObjectSegment]:
    """Return when each class was to be seen, in time order."""
    seconds, series = box_series(predictions)
    segments = [
        ObjectSegment(
            label=label,
            peak_count=_peak_count(predictions[within(seconds, span)], label),
            **segment_fields(span),
        )
        for label, scores in series.items()
        for span in spans(seconds, scores, RULE, step_seconds, end_seconds)
    ]
    return sorted(segments, key=lambda segment: (segment.start_seconds, segment.label))


def tracks(
    predictions: Sequence[Prediction],
    ends: Mapping[float, float],
    missed_seconds: float,
    cuts_seconds: Sequence[float],
    size: tuple[int, int],
) -> list[ObjectTrack]:
    """Follow single objects as `link` does; `size` is the width and height of the source frame in pixels."""
    linked = link(predictions, ends, missed_seconds, cuts_seconds)
    sure = [track for track in linked if max(box.confidence for box in track.boxes) >= RULE.open_at]
    return [_report_track(number, track, ends[track.seconds[-1]], size) for number, track in enumerate(sure)]


def _peak_count(predictions: Sequence[Prediction], label: str) -> int:
    return max(sum(box.label == label for box in prediction.boxes) for prediction in predictions)


def _report_track(number: int, track: Track, end_seconds: float, size: tuple[int, int]) -> ObjectTrack:
    confidences = [box.confidence for box in track.boxes]
    peak = int(np.argmax(confidences))
    span = Span(
        start_seconds=track.seconds[0],
        end_seconds=end_seconds,
        peak_seconds=track.seconds[peak],
        peak=confidences[peak],
        mean=float(np.mean(confidences)),
        frames=len(track.boxes),
    )
    points = [_point(seconds, box, size) for seconds, box in zip(track.seconds, track.boxes, strict=True)]
    return ObjectTrack(label=track.label, track=number, points=points, **segment_fields(span))


def _point(seconds: float, box: Box, size: tuple[int, int]) -> TrackPoint:
    return TrackPoint(seconds=round(seconds, 6), confidence=round(box.confidence, 4), box=box_shares(box, *size))
