"""Shots: cuts, fades through black, black stretches. No model: scenedetect's detectors on small frames."""

from __future__ import annotations

from model_zoo.domain import Domain, Start, Summary
from model_zoo.shots.detect import watch
from model_zoo.shots.postprocess import part_of_frames
from model_zoo.shots.schema import ShotsPart
from model_zoo.values import View, Watcher

ROLE = "frames"
VIEW = View(128, 72)
EVERY_FRAME = 0.0


def start(start: Start) -> tuple[Watcher, ...]:
    """Watch every frame, small."""
    return (Watcher(ROLE, VIEW, EVERY_FRAME, watch()),)


def summarize(summary: Summary) -> ShotsPart:
    """Divide the media into shots."""
    return part_of_frames(summary.predictions.get(ROLE, ()), summary.duration_seconds)


DOMAIN = Domain(
    name="shots",
    title="cuts, fades and black stretches",
    roles={},
    reads=(),
    start=start,
    summarize=summarize,
    part=ShotsPart,
)
