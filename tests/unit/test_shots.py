"""Shots, on drawn frames and on real video whose cuts are known."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_zoo import shots
from model_zoo.domain import Start, Summary
from model_zoo.shots.detect import BLACK, DARK, FADE
from model_zoo.shots.schema import ShotsPart
from model_zoo.values import Frames, Pixels, Prediction
from tests.unit.shown import drawn, stretched

FRAME_SECONDS = 0.04


def part_of(batches: Iterable[Frames]) -> ShotsPart:
    """Return what the domain makes of frames at 25 per second."""
    (watcher,) = shots.DOMAIN.start(Start({}, 1.0))
    predictions = [prediction for frames in batches for prediction in watcher.predict(frames)]
    end = predictions[-1].seconds + FRAME_SECONDS if len(predictions) > 1 else 0.0
    return shots.summarize(Summary({watcher.role: predictions}, {}, 1.0, end, 854, 480, {}))


def cut_times(part: ShotsPart) -> list[float]:
    return [transition.start_seconds for transition in part.transitions if transition.kind == "cut"]


def scene(frames: int, seed: int, brightness: float = 1.0) -> Pixels:
    """Draw a scene that drifts slowly: soft random colours, moved by one pixel a frame."""
    blocks = np.random.default_rng(seed).integers(40, 255, (6, 8, 3))
    wide = np.kron(blocks, np.ones((12, 32, 1))) * brightness  # (72, 256, 3)
    return np.stack([np.roll(wide, frame, axis=1)[:, :128] for frame in range(frames)]).astype(np.uint8)


def faded(pixels: Pixels, start: float, end: float) -> Pixels:
    """Change the brightness steadily from one share to another."""
    share = np.linspace(start, end, len(pixels))[:, None, None, None]
    return (pixels * share).astype(np.uint8)


def black(frames: int) -> Pixels:
    return np.zeros((frames, 72, 128, 3), np.uint8)


def test_every_cut_of_the_demo_is_found_to_the_frame_and_no_other(media: Path) -> None:
    truth = json.loads((media / "ground_truth.json").read_text("utf-8"))["demo"]
    part = part_of(stretched(media / "demo.mp4", shots.VIEW))
    assert cut_times(part) == pytest.approx([cut["time_s"] for cut in truth["cuts"]], abs=FRAME_SECONDS)
    assert [(shot.start_seconds, shot.end_seconds) for shot in part.segments] == [
        (pytest.approx(segment["start_s"], abs=FRAME_SECONDS), pytest.approx(segment["end_s"], abs=FRAME_SECONDS))
        for segment in truth["segments"]
    ]
    assert sum(shot.frames for shot in part.segments) == truth["frames"]


@pytest.mark.media
def test_every_cut_of_the_reel_is_found_to_the_frame_and_no_other(rich_media: Path) -> None:
    truth: dict[str, Any] = json.loads((rich_media / "video" / "demo_reel.json").read_text("utf-8"))
    part = part_of(stretched(rich_media / "video" / "demo_reel.mp4", shots.VIEW))
    assert cut_times(part) == pytest.approx([cut["time_s"] for cut in truth["cuts"]], abs=FRAME_SECONDS)


def test_a_cut_has_its_frame_s_own_time_where_the_rate_varies(media: Path) -> None:
    assert cut_times(part_of(stretched(media / "variants" / "demo_vfr.mp4", shots.VIEW))) == pytest.approx([0.6])


def test_batches_do_not_matter() -> None:
    pixels = np.concatenate([scene(40, 1), scene(40, 2)])
    whole = drawn(pixels)
    pieces = [
        Frames(whole.pixels[start : start + 7], whole.seconds[start : start + 7], whole.view, 128, 72)
        for start in range(0, len(pixels), 7)
    ]
    assert part_of(pieces) == part_of([whole])
    assert cut_times(part_of([whole])) == [pytest.approx(1.6)]


def test_a_fade_through_black_is_one_transition_and_divides_two_shots() -> None:
    before, after = scene(75, 1), scene(75, 2)
    out, back = faded(before[50:], 1, 0), faded(after[:25], 0, 1)
    part = part_of([drawn(np.concatenate([before[:50], out, black(10), back, after[25:]]))])
    (fade,) = part.transitions
    assert fade.kind == "fade"
    assert fade.start_seconds == pytest.approx(2.9, abs=0.2)
    assert fade.end_seconds == pytest.approx(3.5, abs=0.2)
    assert [shot.opened_by for shot in part.segments] == ["start", "fade"]
    assert fade.start_seconds < part.segments[1].start_seconds < fade.end_seconds


def test_black_between_two_cuts_is_black_and_no_fade() -> None:
    part = part_of([drawn(np.concatenate([scene(50, 1), black(20), scene(50, 2)]))])
    assert [transition.kind for transition in part.transitions] == ["cut", "black", "cut"]
    assert part.transitions[1].start_seconds == pytest.approx(2.0)
    assert part.transitions[1].end_seconds == pytest.approx(2.8)


def test_black_at_the_start_is_no_fade() -> None:
    part = part_of([drawn(np.concatenate([black(25), scene(50, 1)]))])
    assert part.transitions[0].kind == "black"
    assert "fade" not in [transition.kind for transition in part.transitions]


def test_a_dark_scene_is_neither_black_nor_a_fade() -> None:
    dim = np.full((40, 72, 128, 3), 5, np.uint8)
    dim[:, 20:30, 40:60] = 200  # a lamp in the night
    before, after = faded(scene(30, 1), 1, 0.2), faded(scene(30, 1), 0.2, 1)
    part = part_of([drawn(np.concatenate([before, dim, after]))])
    assert {transition.kind for transition in part.transitions} == {"cut"}


def test_a_still_image_is_one_shot() -> None:
    part = part_of([drawn(scene(1, 1))])
    (shot,) = part.segments
    assert (shot.start_seconds, shot.end_seconds, shot.frames) == (0, 0, 1)
    assert part.transitions == []


def test_hours_of_strobing_light_are_divided_in_time() -> None:
    marks = [{BLACK: 1.0, DARK: 1.0} if row % 2 else {FADE: 1.0} for row in range(200_001)]
    predictions = [Prediction(row * FRAME_SECONDS, found) for row, found in enumerate(marks)]
    start_seconds = time.monotonic()
    part = shots.summarize(Summary({shots.ROLE: predictions}, {}, 1.0, 8_000.0, 854, 480, {}))
    assert time.monotonic() - start_seconds < 60
    assert {transition.kind for transition in part.transitions} == {"fade"}
    assert len(part.transitions) == 100_000
