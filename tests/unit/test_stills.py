"""Single pictures: the frame that is asked for, upright, without the frames before it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from serve import jpeg
from serve.media import Limits, open_media
from serve.stills import Still, stills
from tests.clips import number_in, write_clip
from tests.conftest import MEDIA

LONG_GROUPS = {"x264-params": "keyint=50:min-keyint=50:scenecut=0:log-level=none", "preset": "ultrafast"}


def numbers(found: list[Still]) -> list[int]:
    return [number_in(jpeg.scaled(jpeg.decode(still.jpeg), 160, 96)) for still in found]


def test_the_frame_of_each_time_is_found_by_seeking_and_by_going_on(tmp_path: Path) -> None:
    media = open_media(write_clip(tmp_path / "clip.mp4", frames=200, options=LONG_GROUPS), Limits())
    found = stills(media, [6.0, 0.0, 2.04, 2.08, 7.96, 99.0])
    assert [still.seconds for still in found] == [0.0, 2.04, 2.08, 6.0, 7.96]
    assert numbers(found) == [0, 51, 52, 150, 199]


def test_a_turned_video_gives_upright_pictures() -> None:
    media = open_media(MEDIA / "variants/demo_rotated90.mp4", Limits())
    assert media.facts.video
    height, width = jpeg.decode(stills(media, [1.0])[0].jpeg).shape[:2]
    assert abs(width / height - media.facts.video.width / media.facts.video.height) < 0.01


def test_a_video_that_breaks_off_gives_what_is_there() -> None:
    found = stills(open_media(MEDIA / "variants/demo_truncated.mp4", Limits()), [0.0, 0.4, 3.0])
    assert [still.seconds for still in found][:2] == [0.0, 0.4]


def test_sound_has_no_pictures() -> None:
    assert stills(open_media(MEDIA / "variants/demo_audio.m4a", Limits()), [0.0]) == []


@pytest.mark.parametrize("shape", [(101, 77), (1, 1), (2, 640)])
def test_a_picture_is_written_in_any_size_and_always_the_same(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), (200, 40, 90), np.uint8)
    written = jpeg.encode(picture)
    assert written == jpeg.encode(picture)
    assert jpeg.decode(written).shape == picture.shape
    assert np.abs(jpeg.decode(written).astype(int) - picture).mean() < 4


def test_nothing_can_be_recognised_in_a_blurred_picture() -> None:
    chequered = (np.indices((160, 240)).sum(axis=0) // 8 % 2 * 255).astype(np.uint8)
    picture = np.repeat(chequered[..., None], 3, axis=2)
    blurred = jpeg.blurred(picture)
    assert blurred.shape == picture.shape
    assert blurred.std() < 0.1 * picture.std()
