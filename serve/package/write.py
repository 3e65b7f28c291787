"""Write a package: a folder that appears whole or not at all."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model_zoo.errors import FormError, UsageError
from model_zoo.report import Report
from model_zoo.transcription.schema import TranscriptionPart
from serve.album import Album, pictures
from serve.formats import Form, render
from serve.formats.own import JSON
from serve.formats.subtitles import SRT, TXT, VTT
from serve.formats.transcribe import TRANSCRIPT
from serve.media import Media
from serve.package.sheets import contact_sheet, thumbnail
from serve.review import media_source, page, report_sha256
from serve.review.findings import Finding, findings, length_seconds, veiled
from serve.review.parts import part_of
from serve.shown import shown
from serve.stills import Still

SCHEMA = "reelwarden.package/1"
MANIFEST = "manifest.json"
MOST_THUMBNAILS = 500
SHEET_PICTURES = 16
NEAR_SECONDS = 1.0  # a thumbnail of another moment would show something else


@dataclass(frozen=True, slots=True)
class PackedFile:
    """One file of a package."""

    path: str
    media_type: str
    content: bytes
    finding: Finding | None = None  # that it shows


def check_replaceable(folder: Path) -> None:
    """Raise UsageError where a package would take the place of anything but an earlier package."""
    if not folder.exists():
        return
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    if not folder.is_dir() or there - _listed(folder / MANIFEST):
        raise UsageError(f"{shown(str(folder))}: there is something in it that is no package; choose an empty folder")


def _listed(manifest: Path) -> set[str]:
    """Return the files of the package that a manifest describes, itself among them; none where it is none of ours."""
    try:
        document = json.loads(manifest.read_text("utf-8"))
        if document["schema_version"] != SCHEMA:
            return set()
        return {MANIFEST, *(str(entry["path"]) for entry in document["files"])}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def write_package(
    folder: Path, report: Report, media: Media, album: Album | None = None, forms: Sequence[Form] = ()
) -> list[FormError]:
    """Write everything that is to be kept of an analysis, and further forms of the report; replaces an earlier package.

    Pictures come from the album; each that it does not have costs a seek. Returns why forms were left out. Raises
    UsageError where the folder holds something else, or cannot be written.
    """
    check_replaceable(folder)
    left_out: list[FormError] = []
    files = [*_files(report, media, folder, album), *_forms(report, forms, left_out)]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name[:40]}.") as scrap:
            new = Path(scrap, "new")
            _write_all(new, files, report)
            _put(new, folder, Path(scrap, "old"))
    except OSError as error:
        raise UsageError(
            f"{shown(str(folder))}: cannot write there ({error.strerror}); make room or choose another folder"
        ) from error
    return left_out


def _put(new: Path, place: Path, old: Path) -> None:
    """Move a folder to its place; what was there goes to `old`, and comes back where that fails."""
    if not place.exists():
        new.rename(place)
        return
    place.rename(old)
    try:
        new.rename(place)
    except OSError:
        old.rename(place)
        raise


def _files(report: Report, media: Media, folder: Path, album: Album | None) -> Iterator[PackedFile]:
    yield PackedFile("report.json", JSON.media_types[0], JSON.render(report).encode())
    if part_of(report, "transcription", TranscriptionPart).segments:
        for name, form in (("transcript", TRANSCRIPT), ("transcript", TXT), ("subtitles", SRT), ("subtitles", VTT)):
            suffix = form.suffix.rsplit(".", 1)[-1]
            yield PackedFile(f"{name}.{suffix}", form.content_type, form.render(report).encode())
    html = page(report, media_source(report, media, folder, album=album))
    yield PackedFile("review.html", "text/html; charset=utf-8", html.encode())
    if media.facts.video is not None:
        yield from _thumbnails(findings(report)[:MOST_THUMBNAILS], media, album)
        times = np.linspace(0.0, length_seconds(report), SHEET_PICTURES, endpoint=False).tolist()
        stills = pictures(media, times, album)
        if stills:
            yield PackedFile("contact_sheet.jpg", "image/jpeg", contact_sheet(stills, veiled(report)))


def _forms(report: Report, forms: Sequence[Form], left_out: list[FormError]) -> Iterator[PackedFile]:
    for form in forms:
        if form is JSON:
            continue
        try:
            yield PackedFile(f"report.{form.suffix}", form.content_type, render(form, report).encode())
        except FormError as error:
            left_out.append(error)


def _thumbnails(found: list[Finding], media: Media, album: Album | None) -> Iterator[PackedFile]:
    stills = pictures(media, [finding.peak_seconds for finding in found], album)
    for number, finding in enumerate(found):
        still = _nearest(stills, finding.peak_seconds)
        if still is not None:
            # numbered, as labels may be anything
            yield PackedFile(f"thumbnails/{number:03d}.jpg", "image/jpeg", thumbnail(still), finding)


def _nearest(stills: list[Still], seconds: float) -> Still | None:
    still = min(stills, key=lambda still: abs(still.seconds - seconds), default=None)
    return still if still and abs(still.seconds - seconds) <= NEAR_SECONDS else None


def _write_all(folder: Path, files: list[PackedFile], report: Report) -> None:
    for file in files:
        place = folder / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.content)
    text = json.dumps(_manifest(files, report), indent=2, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, "utf-8")


def _manifest(files: list[PackedFile], report: Report) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA,
        "reelwarden_version": report.reelwarden_version,
        "media": {
            "name": report.media.name,
            "sha256": report.media.sha256,
            "size_bytes": report.media.size_bytes,
        },
        "report_sha256": report_sha256(report),
        "complete": report.complete,
        "verdict": report.verdict.decision if report.verdict else None,
        "files": [_entry(file) for file in files],
    }


def _entry(file: PackedFile) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "path": file.path,
        "media_type": file.media_type,
        "size_bytes": len(file.content),
        "sha256": hashlib.sha256(file.content).hexdigest(),
    }
    if file.finding is not None:
        shown_of = ("domain", "label", "start_seconds", "end_seconds", "peak_seconds", "confidence")
        entry["finding"] = {name: value for name, value in asdict(file.finding).items() if name in shown_of}
    return entry
