"""Notice that a file was replaced or written to while it is analyzed."""

from __future__ import annotations

from pathlib import Path

from av.container import InputContainer

from model_zoo.errors import CorruptMediaError
from serve.containers import open_container
from serve.limits import Limits
from serve.shown import shown

Stamp = tuple[int, int, int, int]  # device, inode, bytes, time of the last change in ns


def stamp_of(path: Path) -> Stamp | None:
    """Return what changes whenever a file does; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def check_unchanged(path: Path, stamp: Stamp | None) -> None:
    """Raise CorruptMediaError where the file is not what it was."""
    if stamp_of(path) != stamp:
        raise CorruptMediaError(f"{shown(path.name)}: changed while it was read; analyze it again once it is complete")


def reopen(path: Path, limits: Limits, stamp: Stamp | None) -> InputContainer:
    """Open a media file once more. Raises CorruptMediaError where it is not what it was, else as open_container."""
    check_unchanged(path, stamp)
    container = open_container(path, limits)
    try:
        check_unchanged(path, stamp)  # it may have been replaced a moment before it was opened
    except CorruptMediaError:
        container.close()
        raise
    return container
