"""Bodies go to a file as they come, within a limit and a patience, and nothing of them stays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import ClientDisconnect

from serve.web import uploads
from serve.web.refusals import ClientLeftError, EmptyBodyError, SlowBodyError, TooLargeError, status_of
from serve.web.uploads import save, upload_file, whole


def far() -> float:
    """Return a deadline that is far away."""
    return 60.0


async def sent(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def stuck() -> AsyncIterator[bytes]:
    yield b"a"
    await asyncio.sleep(60)


async def cut() -> AsyncIterator[bytes]:
    yield b"a"
    raise ClientDisconnect


def test_a_body_is_the_file_whatever_its_pieces(tmp_path: Path) -> None:
    pieces = [b"", b"ab", b"c" * 3_000_000, b"", b"d"]
    assert asyncio.run(save(sent(*pieces), tmp_path / "file", 4_000_000, far)) == 3_000_003
    assert (tmp_path / "file").read_bytes() == b"".join(pieces)


def test_a_body_over_the_limit_is_refused_while_it_comes(tmp_path: Path) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield bytes(1_000_000)

    with pytest.raises(TooLargeError, match="REELWARDEN_MAX_BODY_BYTES") as refused:
        asyncio.run(save(endless(), tmp_path / "file", 5_500_000, far))
    assert status_of(refused.value) == 413
    assert taken == 6


def test_an_empty_body_a_slow_one_and_one_cut_off_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MOST_IDLE_SECONDS", 0.05)
    with pytest.raises(EmptyBodyError):
        asyncio.run(save(sent(b""), tmp_path / "file", 10, far))
    with pytest.raises(SlowBodyError) as slow:
        asyncio.run(save(stuck(), tmp_path / "file", 10, far))
    assert status_of(slow.value) == 408
    with pytest.raises(ClientLeftError):
        asyncio.run(whole(cut(), 10, far))


def test_a_body_that_drips_ends_at_the_deadline(tmp_path: Path) -> None:
    start = time.monotonic()

    async def dripping() -> AsyncIterator[bytes]:
        while True:
            yield b"a"
            await asyncio.sleep(0.02)

    with pytest.raises(SlowBodyError, match="deadline"):
        asyncio.run(save(dripping(), tmp_path / "file", 10_000, lambda: max(0.0, start + 0.3 - time.monotonic())))
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("media_type", "name"), [("video/mp4", "upload.mp4"), ("video/strange", "upload"), (None, "upload")]
)
def test_the_file_is_named_by_its_type_and_gone_afterwards(media_type: str | None, name: str) -> None:
    with upload_file(media_type) as path:
        assert path.name == name
        path.write_bytes(b"a")
        (path.parent / "beside").touch()
    assert not path.parent.exists()
