"""How much of a file waits in memory while several threads decode."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_zoo.values import View
from serve.decode import cpu
from serve.decode.reading import Wanted, read
from serve.media import Limits, open_media
from tests.clips import number_in, write_clip

SHORT_GROUPS = {"x264-params": "keyint=10:min-keyint=10:scenecut=0:log-level=none", "preset": "ultrafast"}


@pytest.mark.parametrize("most_bytes", [0, 10_000, 100_000])
def test_packets_that_are_too_many_bytes_to_wait_are_decoded_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_bytes: int
) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=75, options=SHORT_GROUPS)
    assert path.stat().st_size > 100_000
    monkeypatch.setattr(cpu, "MOST_WAITING_BYTES", most_bytes)
    with read(open_media(path, Limits()), [Wanted(View(160, 96), 0.16, batch=8)]) as reading:
        numbers = [number_in(picture) for _, frames in reading for picture in frames.pixels]
    assert numbers == list(range(0, 75, 4))
    assert not reading.facts.truncated
