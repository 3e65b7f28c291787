"""Write files so that a reader never sees a half-written one."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from model_zoo.errors import UsageError

OUT = "--out"  # where most commands write


def check_writable(folder: Path, option: str = OUT) -> None:
    """Make `folder` and try to write in it, before any work is done; raises UsageError that names the `option`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _cannot_write(folder, error, option) from error


SCRAP = ".reelwarden-"  # how the names of half-written files begin; short, as names have a limit


FOR_ALL = 0o644  # an uploader of another uid must be able to read
FOR_OWNER = 0o600


def write_atomically(path: Path, text: str, tag: str = "", mode: int = FOR_ALL, option: str = OUT) -> None:
    """Write `text` to `path`, making its folder; an interruption leaves the old file or none.

    The text is on the disk when this returns. Only a process that is killed leaves a scrap, a hidden file beside
    `path` whose name has the `tag`. Raises UsageError that names the `option` which said where to write.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{SCRAP}{tag}", suffix=".part")
        scrap = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                os.fchmod(file.fileno(), mode)
            scrap.replace(path)
            _sync_folder(path.parent)
        finally:
            scrap.unlink(missing_ok=True)
    except OSError as error:
        raise _cannot_write(path, error, option) from error


def _sync_folder(folder: Path) -> None:
    """Make sure that a new name in a folder outlives a power failure, where the file system can."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def _cannot_write(path: Path, error: OSError, option: str) -> UsageError:
    return UsageError(f"{path}: cannot write there ({error.strerror}); make room or choose another place with {option}")
