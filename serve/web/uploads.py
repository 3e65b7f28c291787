"""Bodies: streamed to a file in TMPDIR, whatever their size, within a limit and a patience."""

from __future__ import annotations

import asyncio
import errno
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from starlette.requests import ClientDisconnect

from serve.web.refusals import ClientLeftError, EmptyBodyError, NoRoomError, SlowBodyError, TooLargeError

Left = Callable[[], float]  # seconds to the deadline

BLOCK_BYTES = 1 << 20  # of a body are in memory at a time
MOST_IDLE_SECONDS = 20.0  # a client may send nothing

# The name of the file that a type is written to: what cannot be read is then damaged rather than unknown
SUFFIXES = {
    "application/mp4": ".mp4",
    "application/ogg": ".ogg",
    "application/json": ".json",
    "application/jsonl": ".jsonl",
    "application/jsonlines": ".jsonl",
    "application/x-jsonlines": ".jsonl",
    "application/x-ndjson": ".jsonl",
    "audio/aac": ".aac",
    "audio/flac": ".flac",
    "audio/mp4": ".m4a",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/wav": ".wav",
    "audio/wave": ".wav",
    "audio/webm": ".webm",
    "audio/x-flac": ".flac",
    "audio/x-m4a": ".m4a",
    "audio/x-wav": ".wav",
    "image/avif": ".avif",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
    "image/heic": ".heic",
    "image/heif": ".heif",
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/png": ".png",
    "image/tiff": ".tiff",
    "image/webp": ".webp",
    "text/plain": ".txt",
    "video/3gpp": ".3gp",
    "video/mp2t": ".ts",
    "video/mp4": ".mp4",
    "video/mpeg": ".mpeg",
    "video/ogg": ".ogv",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "video/x-flv": ".flv",
    "video/x-matroska": ".mkv",
    "video/x-ms-wmv": ".wmv",
    "video/x-msvideo": ".avi",
}


@contextmanager
def upload_file(media_type: str | None) -> Iterator[Path]:
    """Give a path in a folder of its own, named by the type and never by the client; removed afterwards."""
    with _room(), tempfile.TemporaryDirectory(prefix="reelwarden-") as folder:
        yield Path(folder, "upload" + SUFFIXES.get(media_type or "", ""))


async def save(chunks: AsyncIterator[bytes], path: Path, most_bytes: int, left_seconds: Left) -> int:
    """Write a body to `path` and return its size; raises the refusal of what is empty, too large or too slow."""
    size = 0
    block = bytearray()
    with _room(), path.open("wb") as file:
        async for chunk in patient(chunks, left_seconds):
            size += len(chunk)
            check_size(size, most_bytes)
            block += chunk
            if len(block) >= BLOCK_BYTES:
                await _write(file, block)
        await _write(file, block)
    if size == 0:
        raise EmptyBodyError("the body has no bytes; send the media as the body")
    return size


async def whole(chunks: AsyncIterator[bytes], most_bytes: int, left_seconds: Left) -> bytes:
    """Return a small body; raises as `save`."""
    block = bytearray()
    async for chunk in patient(chunks, left_seconds):
        block += chunk
        check_size(len(block), most_bytes)
    if not block:
        raise EmptyBodyError("the body has no bytes; send JSON that names media")
    return bytes(block)


async def patient(chunks: AsyncIterator[bytes], left_seconds: Left) -> AsyncIterator[bytes]:
    """Pass on what comes; raises SlowBodyError where nothing or too little comes, ClientLeftError for a client gone."""
    while True:
        left = left_seconds()
        try:
            async with asyncio.timeout(min(left, MOST_IDLE_SECONDS)):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            if left < MOST_IDLE_SECONDS:
                raise SlowBodyError("the body was not here before the deadline; send it faster, or run a job") from None
            raise SlowBodyError(f"nothing of the body came for {MOST_IDLE_SECONDS:g} s; send it again") from None
        except ClientDisconnect:
            raise ClientLeftError("the client left before its body was here") from None
        yield chunk


def check_size(size: int, most_bytes: int) -> None:
    """Raise TooLargeError for a body over the limit."""
    if size > most_bytes:
        raise TooLargeError(
            f"the body is over the limit of {most_bytes:,} bytes; cut it, raise max_body_bytes "
            "(REELWARDEN_MAX_BODY_BYTES), or run a job over the files"
        )


async def _write(file: BinaryIO, block: bytearray) -> None:
    """Write and empty `block`, on a thread where it may take long: /ping must not wait for a disk."""
    if len(block) < BLOCK_BYTES:
        file.write(block)
    else:
        await asyncio.to_thread(file.write, block)
    block.clear()


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise NoRoomError(
            f"no room for the body in {tempfile.gettempdir()}; make room, or set TMPDIR to a larger disk"
        ) from error
