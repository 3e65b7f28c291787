"""Write files so that a reader never sees a half-written one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from model_zoo.errors import UsageError


def check_writable(folder: Path) -> None:
    """Make `folder` and try to write in it, before any work is done; raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _cannot_write(folder, error) from error


def write_atomically(path: Path, text: str) -> None:
    """Write `text` to `path`, making its folder; an interruption leaves the old file or none, and no scrap."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        scrap = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                os.fchmod(file.fileno(), 0o644)  # mkstemp makes 0600, which an uploader of another uid could not read
            scrap.replace(path)
        finally:
            scrap.unlink(missing_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path}: cannot write there ({error.strerror}); make room or choose another folder with --out")
