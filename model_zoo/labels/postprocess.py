"""From a tagger's scores to labels over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model_zoo.labels.names import shown_labels
from model_zoo.manifest import ModelSpec
from model_zoo.ops.time import SpanRule, moment_fields, score_series, segment_fields, spans
from model_zoo.report import SampledSegment
from model_zoo.values import Frames, Prediction, Tensors

# Faster sampling than once a second is averaged over half a second: taggers flicker
RULE = SpanRule(open_at=0.5, close_below=0.25, hold_seconds=1.5, merge_gap_seconds=2.0, smooth_seconds=0.5)
MOST_LABELS = 5  # of one frame


def softmax_labels(outputs: Tensors, spec: ModelSpec, frames: Frames) -> list[Prediction]:
    """Read (N, K) probabilities and keep the best few of each frame."""
    scores = outputs[spec.outputs[0]]
    names = shown_labels(spec)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :MOST_LABELS]  # (N, k)
    kept = np.take_along_axis(scores, best, axis=1)
    return [
        Prediction(
            seconds,
            {names[index]: score for index, score in zip(indices, values, strict=True) if score >= RULE.close_below},
        )
        for seconds, indices, values in zip(frames.seconds.tolist(), best.tolist(), kept.tolist(), strict=True)
    ]


def label_segments(predictions: Sequence[Prediction], step_seconds: float, end_seconds: float) -> list[SampledSegment]:
    """Return when each label applied, in time order."""
    seconds, series = score_series(predictions)
    segments = [
        SampledSegment(label=label, **segment_fields(span), **moment_fields(span))
        for label, scores in series.items()
        for span in spans(seconds, scores, RULE, step_seconds, end_seconds)
    ]
    return sorted(segments, key=lambda segment: (segment.start_seconds, segment.label))
