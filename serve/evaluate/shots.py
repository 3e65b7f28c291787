"""F1 of cuts: shots/NAME.mp4 and the seconds at which a new shot begins, one a line, in NAME.txt."""

from __future__ import annotations

from pathlib import Path

from model_zoo.errors import UsageError
from model_zoo.metrics.cuts import cut_counts
from model_zoo.metrics.scores import Counts
from serve.evaluate.task import ANSWER, Figure, Labelled, Task, analyzer_of, counted, labelled_files, part_of
from serve.settings import Settings

DOMAIN = "shots"
TOLERANCE_SECONDS = 0.1


def measure(folder: Path, settings: Settings) -> list[Figure]:
    """Return F1, precision and recall of the cuts of all videos together."""
    items = labelled_files(folder)
    counts = Counts(0, 0, 0)
    with analyzer_of(DOMAIN, settings) as analyzer:
        for item in items:
            shots = part_of(analyzer, item.media, DOMAIN).segments
            one = cut_counts([shot.start_seconds for shot in shots[1:]], cut_times(item), TOLERANCE_SECONDS)
            counts = _sum(counts, one)
    cuts = counts.true_positives + counts.false_negatives
    data = f"{counted(len(items), 'video')}, {counted(cuts, 'cut')}, within {TOLERANCE_SECONDS:g} s"
    return [
        Figure(DOMAIN, "F1 of cuts", counts.f1, data),
        Figure(DOMAIN, "precision of cuts", counts.precision, data),
        Figure(DOMAIN, "recall of cuts", counts.recall, data),
    ]


def cut_times(item: Labelled) -> list[float]:
    """Return the seconds of a file of cuts; what follows `#` is a comment. Raises UsageError with the line."""
    times = []
    for number, line in enumerate(item.answers[0].splitlines(), start=1):
        text = line.split("#")[0].strip()
        if text:
            try:
                times.append(float(text))
            except ValueError as error:
                place = f"{item.media.with_suffix(ANSWER)}:{number}"
                raise UsageError(f"{place}: {text!r} is no number of seconds") from error
    return times


def _sum(one: Counts, other: Counts) -> Counts:
    return Counts(
        one.true_positives + other.true_positives,
        one.false_positives + other.false_positives,
        one.false_negatives + other.false_negatives,
    )


TASK = Task("shots", DOMAIN, measure)
