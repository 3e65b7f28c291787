"""A folder in TMPDIR for one job: it is removed at the end, and that of a job that was killed by the next job.

A living job holds a lock on its folder, which the kernel lets go of however the job ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from model_zoo.errors import UsageError

NAME = "reelwarden-job-"
_UNLOCKED = "reelwarden-new-"  # until the lock is held: under the other name it would be taken for a dead job's


@contextmanager
def scratch_folder() -> Iterator[str]:
    """Give an empty folder for the length of a `with` block, after what killed jobs left has been removed.

    Raises UsageError where nothing can be written.
    """
    with _named_errors():
        remove_left()
        folder, handle = _locked_folder()
    try:
        yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _locked_folder() -> tuple[Path, int]:
    """Make a folder; return it and the handle that holds its lock."""
    unlocked = Path(tempfile.mkdtemp(prefix=_UNLOCKED))
    handle = os.open(unlocked, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # a file system without locks: what a killed job leaves there, stays
            _lock(handle)
        return unlocked.rename(unlocked.with_name(unlocked.name.replace(_UNLOCKED, NAME))), handle
    except OSError:
        os.close(handle)
        raise


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise UsageError(
            f"TMPDIR: no folder for downloads can be made ({where}{error.strerror}); "
            f"mount one at /tmp that uid {os.geteuid()} may write to, or set TMPDIR to one"
        ) from error


def remove_left() -> None:
    """Remove the folders of this user's jobs that live no more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{NAME}*"):
        with suppress(OSError):  # somebody else was faster, or the file system has no locks
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(handle).st_uid == os.geteuid():
                    _lock(handle)
                    shutil.rmtree(folder)
            finally:
                os.close(handle)


def _lock(handle: int) -> None:
    """Lock a folder; raises OSError where a living job holds it."""
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
