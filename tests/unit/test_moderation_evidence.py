"""Real models on real, harmless pictures: what other domains see must not become a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from model_zoo import moderation
from model_zoo.domain import Summary
from model_zoo.report import Report
from serve.pipeline import Analyzer
from serve.settings import load_settings


@pytest.fixture(scope="module")
def analyzer() -> Iterator[Analyzer]:
    """Load the two domains whose weights are part of the project."""
    with Analyzer(load_settings(domains="objects,labels", frame_detail=True)) as loaded:
        yield loaded


def labels_seen(report: Report) -> set[str]:
    return {segment.label for part in report.domains.values() for segment in part.segments}


def test_a_rocket_that_the_tagger_calls_a_missile_is_no_weapon(analyzer: Analyzer, media: Path) -> None:
    report = analyzer.analyze(media / "images" / "rocket.jpg")
    frames = report.domains["labels"].frames or []
    assert "missile" in {label for frame in frames for label in frame.scores}
    part = moderation.summarize(Summary({}, {}, 1.0, 0.0, 640, 427, report.domains))
    assert part.segments == []


@pytest.mark.parametrize(
    ("picture", "label"),
    [
        ("astronaut.jpg", "person"),
        ("grace_hopper.jpg", "person"),
        ("cameraman.png", "person"),
        ("cat.png", "cat"),
        ("coffee.jpg", "espresso"),
        ("screencast_text.jpg", "web page"),
    ],
)
def test_what_a_picture_shows_is_found(analyzer: Analyzer, media: Path, picture: str, label: str) -> None:
    assert label in labels_seen(analyzer.analyze(media / "images" / picture))
