"""Text: what is written on the screen, where and for how long. A detector finds lines, a recogniser reads them."""

from __future__ import annotations

from collections.abc import Mapping

from model_zoo.domain import Domain, Loaded, Start, Summary
from model_zoo.errors import ManifestError
from model_zoo.fits import Fits
from model_zoo.ops.time import ends_by_time, most_missed_seconds
from model_zoo.report import Coverage
from model_zoo.text.looking import VIEW, Reader
from model_zoo.text.postprocess import text_segments
from model_zoo.text.schema import TextPart
from model_zoo.values import Watcher

DETECTOR, RECOGNISER = "detector", "recogniser"
DECODERS = {DETECTOR: "db", RECOGNISER: "ctc"}


def start(start: Start) -> tuple[Watcher, ...]:
    """Look for text in sampled frames, and read it there: one watcher with two models."""
    detector, recogniser = (_checked(start.models, role) for role in DECODERS)
    return (Watcher(DETECTOR, VIEW, start.interval_seconds, Reader(detector, recogniser).predict),)


def _checked(models: Mapping[str, Loaded], role: str) -> Loaded:
    spec = models[role].spec
    if spec.decoder != DECODERS[role]:
        raise ManifestError(f"[{spec.name}] decoder {spec.decoder!r} is not text's for a {role}: {DECODERS[role]}")
    return models[role]


def summarize(summary: Summary) -> TextPart:
    """Tell what could be read and when."""
    shots = summary.parts["shots"].segments if "shots" in summary.parts else []
    predictions = summary.predictions.get(DETECTOR, ())
    segments = text_segments(
        predictions,
        [shot.start_seconds for shot in shots[1:]],
        ends_by_time(predictions, summary.step_seconds, summary.duration_seconds),
        most_missed_seconds(predictions, summary.interval_seconds),
        (summary.width, summary.height),
    )
    source = f"text/{summary.models[RECOGNISER].name}"
    reason = "level lines in Latin or Chinese letters, about 14 pixels high and up in a frame of 1080 lines"
    return TextPart(
        segments=segments,
        coverage=[Coverage(label="text", grade="trained detector", source=source, reason=reason)],
    )


DOMAIN = Domain(
    name="text",
    title="what is written on the screen, read and followed over time",
    roles={DETECTOR: True, RECOGNISER: True},
    reads=("shots",),
    start=start,
    summarize=summarize,
    part=TextPart,
    fits={role: Fits("input", (decoder,), any_size=True) for role, decoder in DECODERS.items()},
)
