"""Unpacking, on every Python: Debian's 3.11 knows no filters, 3.13 wants one."""

from __future__ import annotations

import tarfile
from pathlib import Path


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack all of an archive that a test made."""
    archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
    archive.extractall(folder)  # noqa: S202 - made by the test
