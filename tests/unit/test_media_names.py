"""Names of files, and files that the system does not give out."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from model_zoo.errors import MediaError, UnsupportedMediaError
from serve.containers import CONTAINER_SUFFIXES, MEDIA_SUFFIXES
from serve.media import Limits, find_media, open_media
from tests.clips import write_clip


def test_a_name_that_is_too_long_is_an_error_that_says_so(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 300 + ".mp4")
    for use in (lambda: find_media([long]), lambda: open_media(long, Limits())):
        with pytest.raises(MediaError, match=r"xxx\.mp4: .*File name too long"):
            use()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_an_error_that_says_so(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "secret.mp4", frames=2)
    clip.chmod(0)
    with pytest.raises(MediaError, match=r"secret\.mp4: cannot be read \(Permission denied\)"):
        open_media(clip, Limits())


def test_a_name_that_is_not_utf_8_can_be_reported(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=2)
    odd = clip.rename(os.fsdecode(os.fsencode(tmp_path) + b"/b\xffad.mp4"))
    facts = open_media(odd, Limits()).facts
    assert facts.name == "b\N{REPLACEMENT CHARACTER}ad.mp4"
    assert "ad.mp4" in facts.model_dump_json()


@pytest.mark.parametrize("limits", [Limits(), Limits(max_bytes=1)])
def test_a_name_cannot_write_to_the_terminal(tmp_path: Path, limits: Limits) -> None:
    odd = tmp_path / "two\nlines\x1b[31m.mp4"
    odd.write_text("It is a truth universally acknowledged\n" * 50)
    with pytest.raises(MediaError, match=r"two\\nlines\\x1b\[31m\.mp4: ") as error:
        open_media(odd, limits)
    assert str(error.value).isprintable()


def test_the_suggested_command_can_be_pasted(tmp_path: Path) -> None:
    odd = tmp_path / "it's; rm -rf x.nfo"
    odd.write_text("It is a truth universally acknowledged\n" * 50)
    with pytest.raises(UnsupportedMediaError) as error:
        open_media(odd, Limits())
    command = str(error.value).split("`")[1]
    assert shlex.split(command) == ["ffmpeg", "-i", odd.name, "out.mp4"]


@pytest.mark.parametrize("suffix", [".heic", ".heif", ".avif", ".h264", ".hevc", ".ivf", ".y4m", ".apng"])
def test_a_folder_is_searched_for_everything_that_can_be_read(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix.upper()}").write_bytes(b"x")
    assert len(find_media([tmp_path])) == 1


def test_every_container_has_its_suffixes() -> None:
    assert all(CONTAINER_SUFFIXES.values())
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in MEDIA_SUFFIXES)
