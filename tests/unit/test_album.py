"""Pictures that are kept during the one decode, and those that a seek brings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_zoo.values import Frames, View
from serve import album as album_module
from serve.album import Album, pictures
from serve.attempt import Attempt
from serve.media import Limits, Media, open_media
from serve.pipeline import Analyzer
from serve.settings import load_settings
from tests.conftest import MEDIA

DEMO = MEDIA / "demo.mp4"


def watched(media: Media, album: Album, seconds: list[float]) -> None:
    """Show the album grey frames of the demo at these times."""
    attempt = album.attempt(media, 1.0)
    assert isinstance(attempt, Attempt)
    (watcher,) = attempt.watchers
    size = (watcher.view.height, watcher.view.width, 3)
    for start in range(0, len(seconds), 7):
        times = seconds[start : start + 7]
        pixels = np.full((len(times), *size), 99, np.uint8)
        assert watcher.predict(Frames(pixels, np.array(times), watcher.view, 854, 480)) == ()


def test_an_album_that_is_full_keeps_every_other_picture_evenly() -> None:
    media, album = open_media(DEMO, Limits()), Album(most_bytes=100_000)
    watched(media, album, [float(second) for second in range(400)])
    times = [still.seconds for still in album.stills]
    assert sum(len(still.jpeg) for still in album.stills) <= 100_000
    assert times[0] == 0.0
    assert set(np.diff(times)) == {times[1]}
    assert 399 - times[-1] <= times[1]


def test_pictures_of_the_album_are_not_sought_again(monkeypatch: pytest.MonkeyPatch) -> None:
    media, album, sought = open_media(DEMO, Limits()), Album(), list[float]()
    watched(media, album, [0.0, 1.0, 2.0])
    monkeypatch.setattr(album_module, "stills", lambda _, seconds: sought.extend(seconds) or [])
    assert [still.seconds for still in pictures(media, [0.0, 1.4, 2.6], album)] == [0.0, 1.0]
    assert sought == [2.6]


def test_an_album_sees_what_is_analyzed_and_changes_nothing_in_the_report(tmp_path: Path) -> None:
    with Analyzer(load_settings(domains="shots", policy="none")) as analyzer:
        album = Album()
        kept = analyzer.analyze(DEMO, album=album)
        plain = analyzer.analyze(DEMO)
    assert kept.model_dump(exclude={"run"}) == plain.model_dump(exclude={"run"})
    assert [still.seconds for still in album.stills] == [float(second) for second in range(32)]


def test_an_album_alone_does_not_have_a_video_decoded() -> None:
    with Analyzer(load_settings(domains="sounds", policy="none")) as analyzer:
        album = Album()
        assert analyzer.analyze(DEMO, album=album).decode.frames_decoded == 0
    assert album.stills == []


def test_sound_has_no_album() -> None:
    assert Album().attempt(open_media(MEDIA / "variants/demo_audio.m4a", Limits()), 1.0) is None


def test_the_view_of_an_album_is_never_larger_than_the_video() -> None:
    attempt = Album().attempt(open_media(MEDIA / "variants/demo_rotated90.mp4", Limits()), 1.0)
    assert attempt
    assert isinstance(attempt.watchers[0].view, View)
    assert max(attempt.watchers[0].view.width, attempt.watchers[0].view.height) <= 640
