"""Download one file: resumed after an interruption, retried, checked, and renamed into place when it is whole."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from model_zoo.errors import WeightsError

Report = Callable[[int, int], None]  # bytes that are here, bytes in all (0: not known)

ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.5


class InterruptedDownloadError(WeightsError):
    """The connection broke or the server is busy: trying again makes sense."""


class StalePartError(InterruptedDownloadError):
    """What an earlier attempt left behind is no beginning of the file: start again."""


class StoppedDownloadError(WeightsError):
    """The user stopped it: keep what is here, try nothing else."""


class RefusedDownloadError(WeightsError):
    """The server will not hand out the file to us."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The bytes of a remote file from `start` on."""

    start: int  # 0 where the server cannot resume
    total_bytes: int  # of the whole file; 0 where the server does not say
    blocks: Iterator[bytes]


Remote = Callable[[int], AbstractContextManager[Stream]]  # opens a file from this byte on


@dataclass(frozen=True, slots=True)
class Digest:
    """A hash that is expected of a file; the algorithm is one of hashlib's."""

    algorithm: str
    hex: str

    def of(self, path: Path) -> Digest:
        """Return the same kind of hash of a file."""
        with path.open("rb") as file:
            return Digest(self.algorithm, hashlib.file_digest(file, self.algorithm).hexdigest())


def download(remote: Remote, target: Path, expected: Digest | None, report: Report, name: str) -> None:
    """Fetch `remote` to `target`, going on where an earlier attempt, or an earlier process, stopped.

    What has arrived is kept in `<target>.part`. `expected` is the hash of the whole file where it is known.
    Raises InterruptedDownloadError after the last attempt, WeightsError when the hash is wrong (the file is removed).
    """
    if target.exists() and (expected is None or expected.of(target) == expected):
        return
    part = target.with_name(target.name + ".part")
    resumed = part.exists()
    _receive(remote, part, report, name)
    if expected and (found := expected.of(part)) != expected:
        part.unlink()
        if not resumed:
            raise WeightsError(
                f"{name}: {expected.algorithm} is {found.hex}, expected {expected.hex}; the file was removed"
            )
        # The rest of another file may have been joined to an old beginning: once more, from the start.
        download(remote, target, expected, report, name)
        return
    part.replace(target)


def _receive(remote: Remote, part: Path, report: Report, name: str) -> None:
    pause_seconds = FIRST_PAUSE_SECONDS
    for attempt in range(1, ATTEMPTS + 1):
        before = _size(part)
        try:
            with remote(before) as stream:
                _append(stream, part, report, name)
        except InterruptedDownloadError as error:
            if isinstance(error, StalePartError):
                part.unlink(missing_ok=True)
            if attempt == ATTEMPTS:
                raise InterruptedDownloadError(f"{error} ({ATTEMPTS} attempts)") from error
            time.sleep(pause_seconds)
            pause_seconds = FIRST_PAUSE_SECONDS if _size(part) > before else 2 * pause_seconds
        else:
            return


def _append(stream: Stream, part: Path, report: Report, name: str) -> None:
    with part.open("r+b" if part.exists() else "wb") as file:
        file.seek(stream.start)
        file.truncate()
        done = stream.start
        report(done, stream.total_bytes)
        for block in stream.blocks:
            file.write(block)
            done += len(block)
            report(done, stream.total_bytes)
    if done < stream.total_bytes:
        raise InterruptedDownloadError(f"{name}: the connection closed after {done} of {stream.total_bytes} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
