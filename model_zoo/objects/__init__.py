"""Objects: what is where, and for how long. One detector; boxes are linked over time into tracks."""

from __future__ import annotations

from model_zoo.domain import Domain, Start, Summary
from model_zoo.fits import Fits
from model_zoo.objects.postprocess import boxes_of_frames, class_segments, tracks
from model_zoo.objects.schema import ObjectsPart
from model_zoo.ops.time import ends_by_time, most_missed_seconds
from model_zoo.report import Coverage
from model_zoo.values import Watcher
from model_zoo.watch import watch

ROLE = "detector"
DECODERS = {"nanodet": boxes_of_frames}


def start(start: Start) -> tuple[Watcher, ...]:
    """Look for objects in sampled frames."""
    return (watch(start, ROLE, DECODERS),)


def summarize(summary: Summary) -> ObjectsPart:
    """Tell when each class was there, and follow single objects between cuts where the shots are known."""
    predictions = summary.predictions.get(ROLE, ())
    times = summary.step_seconds, summary.duration_seconds
    shots = summary.parts["shots"].segments if "shots" in summary.parts else []
    cuts = [shot.start_seconds for shot in shots[1:]]
    ends, missed_seconds = ends_by_time(predictions, *times), most_missed_seconds(predictions, summary.interval_seconds)
    spec = summary.models[ROLE]
    return ObjectsPart(
        segments=class_segments(predictions, *times),
        tracks=tracks(predictions, ends, missed_seconds, cuts, (summary.width, summary.height)),
        coverage=[
            Coverage(label=label, grade="trained detector", source=f"objects/{spec.name}") for label in spec.labels
        ],
    )


DOMAIN = Domain(
    name="objects",
    title="things with boxes, followed over time",
    roles={ROLE: True},
    reads=("shots",),
    start=start,
    summarize=summarize,
    part=ObjectsPart,
    fits={ROLE: Fits("input", tuple(DECODERS))},
)
