"""From lines of text in frames to segments: the same words in neighbouring samples are one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from model_zoo.ops.boxes import box_shares, overlaps
from model_zoo.ops.text import edit_distance
from model_zoo.ops.time import Seconds, segment_fields
from model_zoo.report import TrackPoint
from model_zoo.text.schema import TextSegment
from model_zoo.values import Box, Prediction, Span

LEAST_PEAK = 0.8  # confidence of a segment's best reading
CHARACTERS_PER_EDIT = 5  # one letter or digit in so many may be read differently
LEAST_OVERLAP = 0.1  # IoU; text that reads exactly the same may also be elsewhere


@dataclass(slots=True)
class Thread:
    """One line of text followed over time: rows of the predictions, and its box in each."""

    rows: list[int] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)


def text_segments(
    predictions: Sequence[Prediction],
    cuts_seconds: Sequence[float],
    ends: Mapping[float, float],
    missed_seconds: float,
    size: tuple[int, int],
) -> list[TextSegment]:
    """Return what could be read and when, in time order, then from top to bottom.

    `ends` tells until when each sample speaks, by its time. Text that appears or goes between two samples does so at
    the cut between them, where there is one. `size` is the width and height of the source frame in pixels.
    """
    seconds = np.array([prediction.seconds for prediction in predictions], np.float64)  # (T,)
    starts, stops = _bounds(seconds, ends, cuts_seconds)
    segments = [
        _segment(thread, seconds, float(starts[thread.rows[0]]), float(stops[thread.rows[-1]]), size)
        for thread in threads(predictions, ends, missed_seconds)
        if max(box.confidence for box in thread.boxes) >= LEAST_PEAK
    ]
    return sorted(segments, key=lambda segment: (segment.start_seconds, segment.points[0].box.y1, segment.label))


def threads(predictions: Sequence[Prediction], ends: Mapping[float, float], missed_seconds: float) -> list[Thread]:
    """Follow lines from frame to frame, by what they say and where they are; they may be unread for a while."""
    found: list[Thread] = []
    live: list[Thread] = []
    for row, prediction in enumerate(predictions):
        live = [
            thread
            for thread in live
            if prediction.seconds - ends[predictions[thread.rows[-1]].seconds] <= missed_seconds
        ]
        taken = _match([thread.boxes[-1] for thread in live], prediction.boxes)
        for index, box in enumerate(prediction.boxes):
            thread = live[taken[index]] if index in taken else Thread()
            if not thread.rows:
                found.append(thread)
                live.append(thread)
            thread.rows.append(row)
            thread.boxes.append(box)
    return found


def same_words(text: str, other: str) -> bool:
    """Tell whether two readings, as `letters` gives them, are of the same words."""
    allowed = min(len(text), len(other)) // CHARACTERS_PER_EDIT
    return text == other or (abs(len(text) - len(other)) <= allowed and edit_distance(text, other) <= allowed)


def letters(text: str) -> str:
    """Return only the letters and digits, in small letters; spaces and signs do not matter."""
    return "".join(character for character in text.casefold() if character.isalnum())


def _match(before: Sequence[Box], boxes: Sequence[Box]) -> dict[int, int]:
    """Give boxes (by index) to earlier ones (by index) that say the same, the best overlap first."""
    if not before or not boxes:
        return {}
    shares = overlaps(_corners(boxes), _corners(before))  # (M, K)
    says, said = ([letters(box.label) for box in side] for side in (boxes, before))
    here = shares >= LEAST_OVERLAP
    pairs = [
        (float(shares[index, earlier]), index, earlier)
        for index, text in enumerate(says)
        for earlier, old in enumerate(said)
        if text == old or (here[index, earlier] and same_words(text, old))
    ]
    taken: dict[int, int] = {}
    gone: set[int] = set()
    for _, index, earlier in sorted(pairs, key=lambda pair: -pair[0]):
        if index not in taken and earlier not in gone:
            taken[index] = earlier
            gone.add(earlier)
    return taken


def _corners(boxes: Sequence[Box]) -> np.ndarray:
    return np.array([(box.x1, box.y1, box.x2, box.y2) for box in boxes], np.float32)


def _bounds(seconds: Seconds, ends: Mapping[float, float], cuts_seconds: Sequence[float]) -> tuple[Seconds, Seconds]:
    """Return since when and until when each sample (T,) speaks for text that is in it, but in no neighbour."""
    starts, stops = seconds.copy(), np.array([ends[second] for second in seconds.tolist()], np.float64)
    for cut in sorted(cuts_seconds):
        after = int(np.searchsorted(seconds, cut))  # the first sample of the new shot
        if after < len(starts):
            starts[after] = cut
        if after > 0:
            stops[after - 1] = min(stops[after - 1], cut)
    return starts, stops


def _segment(
    thread: Thread, seconds: Seconds, start_seconds: float, end_seconds: float, size: tuple[int, int]
) -> TextSegment:
    votes: dict[str, float] = defaultdict(float)
    for box in thread.boxes:
        votes[box.label] += box.confidence
    label = max(votes, key=lambda reading: votes[reading])
    confidences = np.array([box.confidence if box.label == label else 0.0 for box in thread.boxes])
    times = seconds[thread.rows].tolist()
    span = Span(
        start_seconds=start_seconds,
        end_seconds=end_seconds,
        peak_seconds=times[int(confidences.argmax())],
        peak=float(confidences.max()),
        mean=float(confidences[confidences > 0].mean()),
        frames=len(thread.rows),
    )
    points = [
        TrackPoint(seconds=round(time, 6), confidence=round(box.confidence, 4), box=box_shares(box, *size))
        for time, box in zip(times, thread.boxes, strict=True)
    ]
    return TextSegment(label=label, points=points, **segment_fields(span))
