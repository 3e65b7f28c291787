"""From scores over time to the spans of time in which something was there.

Samples are in time order; T is their number. A sample stands for the time until the next one: the sampler skips frames
only between asked times, so where samples are further apart than was asked, the picture stood still.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_zoo.values import Prediction, Scores, Span

Seconds = NDArray[np.float64]  # (T,)

LONGEST_STEP = 1.75  # where frames were lost, samples further apart than so many steps have a hole between them
MISSED_SAMPLES = 1.5  # a thing may be missed in one sample, which may be half a step late, and still be the same
LONGEST_MISS_SECONDS = 1.0  # a picture that stands still for longer than this, and was asked for, is no miss


@dataclass(frozen=True, slots=True)
class SpanRule:
    """When a span of time opens and closes."""

    open_at: float  # a span needs one score this high
    close_below: float  # lower scores do not belong to it
    hold_seconds: float = 0.0  # a dip shorter than this does not close it
    merge_gap_seconds: float = 0.0  # spans no further apart become one
    min_seconds: float = 0.0  # shorter spans are dropped, unless the media itself is shorter
    smooth_seconds: float = 0.0  # scores are first averaged over so long a window


def sample_ends(seconds: Seconds, step_seconds: float, end_seconds: float) -> Seconds:
    """Return until when each sample speaks: the next one, and the last until `end_seconds`.

    `step_seconds` is infinite where no frame was lost. Else samples are usually so far apart, or further in a slow
    video; where the next is missing or much further, there is a hole, and the sample speaks for one step.
    """
    following = np.append(seconds[1:], np.inf)  # (T,)
    step = max(step_seconds, usual_step(seconds))
    if step < inf:
        following = np.where(following - seconds > LONGEST_STEP * step, seconds + step, following)
    ends: Seconds = np.maximum(np.minimum(following, end_seconds), seconds)
    return ends


def ends_by_time(predictions: Sequence[Prediction], step_seconds: float, end_seconds: float) -> dict[float, float]:
    """Return until when each sample speaks, by its time."""
    seconds = [prediction.seconds for prediction in predictions]
    ends = sample_ends(np.array(seconds, np.float64), step_seconds, end_seconds)
    return dict(zip(seconds, ends.tolist(), strict=True))


def usual_step(seconds: Seconds) -> float:
    """Return how far two samples are apart as a rule; 0 where there are not two."""
    return float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0


def most_missed_seconds(predictions: Sequence[Prediction], interval_seconds: float) -> float:
    """Return for how long a thing may not be seen and still be the same: for one sample.

    Samples are an interval apart, or as far as the frames, where those come more slowly.
    """
    usual = usual_step(np.array([prediction.seconds for prediction in predictions], np.float64))
    return MISSED_SAMPLES * max(interval_seconds, min(usual, LONGEST_MISS_SECONDS))


def smooth(seconds: Seconds, scores: Scores, window_seconds: float) -> Scores:
    """Average each score with those less than half a window away."""
    before = np.searchsorted(seconds, seconds - window_seconds / 2, side="left")  # (T,)
    after = np.searchsorted(seconds, seconds + window_seconds / 2, side="right")
    sums = np.concatenate([[0.0], np.cumsum(scores, dtype=np.float64)])  # (T + 1,)
    means: Scores = ((sums[after] - sums[before]) / (after - before)).astype(np.float32)
    return means


def spans(seconds: Seconds, scores: Scores, rule: SpanRule, step_seconds: float, end_seconds: float) -> list[Span]:
    """Return the spans in which the scores (T,) were up, in time order; `step_seconds` is that of `sample_ends`."""
    if not len(seconds):
        return []
    if rule.smooth_seconds > 0:
        scores = smooth(seconds, scores, rule.smooth_seconds)
    ends = sample_ends(seconds, step_seconds, end_seconds)
    carried = scores >= rule.close_below  # (T,)
    first, last = _runs_without_holes(carried, seconds[1:] > ends[:-1])
    if not len(first):
        return []
    first, last = _join(first, last, seconds[first[1:]] - ends[last[:-1]] < rule.hold_seconds)
    opened = np.maximum.reduceat(scores, first) >= rule.open_at
    first, last = first[opened], last[opened]
    if not len(first):
        return []
    first, last = _join(first, last, seconds[first[1:]] - ends[last[:-1]] <= rule.merge_gap_seconds)
    least = min(rule.min_seconds, ends[-1] - seconds[0])
    return [
        _span(seconds[a : b + 1], scores[a : b + 1], carried[a : b + 1], float(ends[b]))
        for a, b in zip(first.tolist(), last.tolist(), strict=True)
        if ends[b] - seconds[a] >= least
    ]


def runs(flags: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first and the last index of every unbroken run of true flags."""
    edges = np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1


def _runs_without_holes(
    flags: NDArray[np.bool_], holes: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Do as `runs`, and break them at holes (T - 1,) between two flags (T,)."""
    opens = np.concatenate([[True], ~flags[:-1] | holes])  # (T,)
    closes = np.concatenate([~flags[1:] | holes, [True]])  # (T,)
    return np.flatnonzero(flags & opens), np.flatnonzero(flags & closes)


def score_series(predictions: Sequence[Prediction]) -> tuple[Seconds, dict[str, Scores]]:
    """Turn sparse scores of frames into one series (T,) per label; a label not mentioned in a frame scores 0."""
    seconds = np.array([prediction.seconds for prediction in predictions], np.float64)
    series: dict[str, Scores] = {}
    for row, prediction in enumerate(predictions):
        for label, score in prediction.scores.items():
            if label not in series:
                series[label] = np.zeros(len(predictions), np.float32)
            series[label][row] = score
    return seconds, series


def box_series(predictions: Sequence[Prediction]) -> tuple[Seconds, dict[str, Scores]]:
    """Turn the boxes of frames into one series (T,) per label: the best confidence in each frame, 0 without a box."""
    seconds = np.array([prediction.seconds for prediction in predictions], np.float64)
    series: dict[str, Scores] = {}
    for row, prediction in enumerate(predictions):
        for box in prediction.boxes:
            if box.label not in series:
                series[box.label] = np.zeros(len(predictions), np.float32)
            series[box.label][row] = max(series[box.label][row], box.confidence)
    return seconds, series


def within(seconds: Seconds, span: Span) -> slice:
    """Return which samples (T,) belong to a span; a span of a still image has no length, but its sample."""
    first, end = np.searchsorted(seconds, [span.start_seconds, span.end_seconds]).tolist()
    after_first = int(np.searchsorted(seconds, span.start_seconds, side="right"))
    return slice(first, max(end, after_first))


class Apart:
    """Spans of time, in time order, that do not overlap each other: those at some time are found at once."""

    def __init__(self, spans: Sequence[Span]) -> None:
        """Take the spans of one label."""
        self._starts = [span.start_seconds for span in spans]
        self._ends = [span.end_seconds for span in spans]

    def overlapping(self, start_seconds: float, end_seconds: float) -> range:
        """Return the numbers of the spans that begin before the end, and end after the start."""
        return range(bisect_right(self._ends, start_seconds), bisect_left(self._starts, end_seconds))

    def touching(self, start_seconds: float, end_seconds: float) -> range:
        """Do as `overlapping`, but also for those that end at the start, or begin at the end."""
        return range(bisect_left(self._ends, start_seconds), bisect_right(self._starts, end_seconds))


def segment_fields(span: Span) -> Mapping[str, Any]:
    """Return the fields of a report segment that a span fills; microseconds and 4 decimals, so that answers compare."""
    return {
        "start_seconds": round(span.start_seconds, 6),
        "end_seconds": round(span.end_seconds, 6),
        "peak_seconds": round(span.peak_seconds, 6),
        "peak_confidence": round(span.peak, 4),
        "mean_confidence": round(span.mean, 4),
        "frames": span.frames,
    }


def moment_fields(span: Span) -> Mapping[str, Any]:
    """Return the fields of a `SampledSegment` that a span fills beside those of every segment."""
    return {
        "frame_seconds": [round(seconds, 6) for seconds, _ in span.moments] or None,
        "frame_confidences": [round(min(1.0, score), 4) for _, score in span.moments] or None,
    }


def _join(
    first: NDArray[np.intp], last: NDArray[np.intp], with_next: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Unite neighbouring runs where the flag between them says so."""
    breaks = np.flatnonzero(~with_next)
    return first[np.append(0, breaks + 1)], last[np.append(breaks, len(last) - 1)]


def _span(seconds: Seconds, scores: Scores, carried: NDArray[np.bool_], end_seconds: float) -> Span:
    peak = int(scores.argmax())
    return Span(
        start_seconds=float(seconds[0]),
        end_seconds=end_seconds,
        peak_seconds=float(seconds[peak]),
        peak=min(1.0, float(scores[peak])),
        mean=min(1.0, float(scores[carried].mean(dtype=np.float64))),
        frames=int(carried.sum()),
        moments=tuple(zip(seconds[carried].tolist(), scores[carried].tolist(), strict=True)),
    )
