"""Browsers' forms: their file goes to the disk once, within the limits of any body."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request

from serve.web.intake import save_form
from serve.web.options import Options
from serve.web.refusals import EmptyBodyError, TooLargeError, UnreadableRequestError, status_of

PIECE_BYTES = 1 << 16
VIDEO = os.urandom(1 << 20) * 5


def form(
    files: list[tuple[str, tuple[str, bytes]]],
    fields: dict[str, str] | None = None,
    seen: Callable[[], object] = int,
) -> Request:
    """Return a request as it comes from curl -F; `seen` is called before each piece of it."""
    asked = httpx.Request("POST", "http://localhost/", files=files, data=fields or {})
    body = asked.read()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), PIECE_BYTES):
            seen()
            yield body[start : start + PIECE_BYTES]

    coming = pieces()

    async def receive() -> dict[str, object]:
        piece = await anext(coming, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    headers = [(b"content-type", asked.headers["content-type"].encode())]
    return Request({"type": "http", "method": "POST", "query_string": b"", "headers": headers}, receive)


def saved(request: Request, path: Path, most_bytes: int = 10_000_000) -> tuple[Path, str, Options]:
    return asyncio.run(save_form(request, path, most_bytes, lambda: 60.0))


def held_bytes(folder: Path) -> int:
    """Return how much this process holds of the disk below `folder`, in files without a name, too."""
    files = {}
    for handle in Path("/proc/self/fd").iterdir():
        if str(handle.readlink() if handle.is_symlink() else "").startswith(str(folder)):
            facts = handle.stat()
            files[facts.st_ino] = facts.st_size
    return sum((files | {path.stat().st_ino: path.stat().st_size for path in folder.iterdir()}).values())


def test_the_file_of_a_form_takes_its_size_of_the_disk_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    held, files = [], set()

    def look() -> None:
        held.append(held_bytes(tmp_path))
        files.update(path.stat().st_ino for path in tmp_path.iterdir())

    request = form([("file", ("my clip.mp4", VIDEO))], {"domains": "labels"}, look)
    path, name, options = saved(request, tmp_path / "upload")
    assert path.read_bytes() == VIDEO
    assert (name, options.domains) == ("my clip.mp4", ("labels",))
    assert max(held) <= len(VIDEO)
    assert len(held) > 10
    assert files == {path.stat().st_ino}  # what came is what is analyzed: nothing was copied at the end
    assert held_bytes(tmp_path) == len(VIDEO)


def test_a_form_over_the_limit_is_refused_while_it_comes(tmp_path: Path) -> None:
    with pytest.raises(TooLargeError) as refused:
        saved(form([("file", ("a.mp4", VIDEO))]), tmp_path / "upload", most_bytes=1_000_000)
    assert status_of(refused.value) == 413
    assert held_bytes(tmp_path) <= 1_000_000


def test_a_form_has_one_file_and_no_more_fields_than_there_are_options(tmp_path: Path) -> None:
    with pytest.raises(UnreadableRequestError, match="Too many files"):
        saved(form([("file", ("a.mp4", b"a")), ("more", ("b.mp4", b"b"))]), tmp_path / "upload")
    many = {f"field{number}": "x" for number in range(len(Options.model_fields) + 1)}
    with pytest.raises(UnreadableRequestError, match="Too many fields"):
        saved(form([("file", ("a.mp4", b"a"))], many), tmp_path / "upload")
    with pytest.raises(EmptyBodyError, match="no file"):
        saved(form([("file", ("a.mp4", b""))]), tmp_path / "upload")


@pytest.mark.parametrize(("name", "suffix"), [("comments.JSONL", ".jsonl"), ("a.mp4", ""), ("..\\..\\x.txt", ".txt")])
def test_a_file_of_text_is_known_by_the_end_of_its_name(tmp_path: Path, name: str, suffix: str) -> None:
    path, said, _ = saved(form([("file", (name, b"hello"))]), tmp_path / "upload")
    assert path == tmp_path / f"upload{suffix}"
    assert path.read_bytes() == b"hello"
    assert said == name.split("\\")[-1]
