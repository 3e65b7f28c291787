"""What moderation says of ordinary life, in which there is nothing to be found.

    python -m benchmarks.moderation_quality

Needs the folder of richer test media (REELWARDEN_TEST_MEDIA). False alarms only: there is no unsafe medium to measure
recall on. Writes the figures to model_zoo/moderation/measured.json and into the card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measured
from benchmarks.media_sets import pictures, videos
from benchmarks.seen import predictions
from model_zoo.ops.time import score_series
from model_zoo.values import Prediction
from serve.pipeline import Analyzer
from serve.settings import load_settings

DOMAIN = "moderation"
SOURCE = "python -m benchmarks.moderation_quality"
figure = partial(measured.figure, source=SOURCE, decimals=2)
FRAMES_A_SECOND = 4
BODY_PARTS = {"models": "moderation.body_parts=nudenet_320n", "licences": "any"}


@dataclass(frozen=True, slots=True)
class Alone:
    """What one classifier says of frames, of all of which it should say nothing."""

    model: str
    role: str
    labels: tuple[str, ...]
    means: str


CLASSIFIERS = (
    Alone("opennsfw", "nsfw_score", ("nsfw",), "Explicit"),
    Alone("nsfwjs_mobilenet_v2", "nsfw_classes", ("Porn", "Hentai"), "Explicit"),
    Alone("nsfwjs_mobilenet_v2", "nsfw_classes", ("Sexy",), "the hint Sexy"),
)


def highest(found: Sequence[Prediction], labels: Sequence[str]) -> float:
    """Return the highest sum of these labels' scores in one frame."""
    seconds, series = score_series(found)
    return float(np.max(sum(series.get(label, np.zeros(len(seconds))) for label in labels)))


def scores(files: Sequence[Path], words: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the highest score that each classifier alone gives to a frame."""
    with Analyzer(load_settings(domains=DOMAIN, interval_seconds=1 / FRAMES_A_SECOND)) as analyzer:
        told = [predictions(analyzer, path) for path in files]
    frames = sum(len(found["nsfw_score"]) for found in told)
    return [
        (
            alone.model,
            figure(
                f"highest score alone: {alone.means}",
                max(highest(found[alone.role], alone.labels) for found in told),
                f"{frames} frames of {words}",
            ),
        )
        for alone in CLASSIFIERS
    ]


def alarms(files: Sequence[Path], words: str, frames_a_second: int, **more: str) -> tuple[int, str]:
    """Return how many findings there are, and of what, where there should be none."""
    settings = load_settings(domains=DOMAIN, interval_seconds=1 / frames_a_second, **more)
    with Analyzer(settings) as analyzer:
        parts = [analyzer.analyze(path).domains[DOMAIN] for path in files]
    findings = [segment for part in parts for segment in part.segments if segment.status == "finding"]  # type: ignore[attr-defined]
    names = sorted({segment.label for segment in findings})
    rate = f", {frames_a_second} a second" if files == videos() else ""
    return len(findings), f"{words}{rate}" + (f": {', '.join(names)}" if names else "")


def main() -> None:
    """Measure, and write the figures down."""
    found: measured.Figures = {}
    moving, still = videos(), pictures()
    for files, words in ((moving, f"{len(moving)} videos"), (still, f"{len(still)} photographs")):
        for model, one in scores(files, words):
            found.setdefault(model, []).append(one)
    asked = (
        ("both classifiers together", moving, f"{len(moving)} videos", FRAMES_A_SECOND, {}),
        ("both classifiers together", still, f"{len(still)} photographs", 1, {}),
        ("nudenet_320n", moving, f"{len(moving)} videos", 1, BODY_PARTS),
        ("nudenet_320n", moving, f"{len(moving)} videos", FRAMES_A_SECOND, BODY_PARTS),
        ("nudenet_320n", still, f"{len(still)} photographs", 1, BODY_PARTS),
    )
    for model, files, words, rate, more in asked:
        count, data = alarms(files, words, rate, **more)
        found.setdefault(model, []).append(figure("false findings", count, data))
    measured.write(DOMAIN, found, SOURCE)
    print(measured.as_json(measured.read(DOMAIN)))


if __name__ == "__main__":
    main()
