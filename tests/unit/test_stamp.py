"""A file that changes while it is analyzed is refused, not half believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_zoo.errors import CorruptMediaError
from model_zoo.values import View
from serve.decode.hearing import WantedSound, hear
from serve.decode.reading import Wanted, read
from serve.media import Limits, open_media
from tests.clips import write_clip


def test_a_file_that_was_replaced_is_not_read_on(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv", frames=30)
    opened = open_media(path, Limits())
    write_clip(tmp_path / "other.mkv", frames=30).replace(path)
    reading = read(opened, [Wanted(View(64, 36), 0.2, batch=8)])
    with pytest.raises(CorruptMediaError, match=r"clip\.mkv: changed while it was read"), reading:
        pass


def test_a_file_that_is_written_to_while_it_is_decoded_is_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv", frames=30)
    with read(open_media(path, Limits()), [Wanted(View(64, 36), 0, batch=1)], ahead=1) as reading:
        batches = iter(reading)
        next(batches)
        with path.open("ab") as file:
            file.write(b"more")
        with pytest.raises(CorruptMediaError, match="changed while it was read"):
            list(batches)


def test_sound_is_not_heard_from_a_file_that_is_gone(media: Path, tmp_path: Path) -> None:
    path = tmp_path / "demo.m4a"
    path.write_bytes((media / "variants" / "demo_audio.m4a").read_bytes())
    opened = open_media(path, Limits())
    path.unlink()
    hearing = hear(opened, [WantedSound(16_000, 1.0, 1.0, batch=4)])
    with pytest.raises(CorruptMediaError, match="changed while it was read"), hearing:
        list(hearing)
