"""Find the weights of a model, or fetch them; no file is used before its sha256 was checked. See docs/weights.md."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from model_zoo.errors import WeightsError
from model_zoo.locks import acquired
from model_zoo.manifest import ModelSpec, WeightFile
from model_zoo.sources.download import InterruptedDownloadError, StoppedDownloadError
from model_zoo.sources.local import path_of
from model_zoo.sources.scheme import Source

Progress = Callable[[str, int, int], None]  # model name, bytes that are here, bytes in all (0: not known)

_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class WeightPlaces:
    """Where weights may lie: both folders may be pre-filled, and read-only."""

    model_dir: Path  # looked at first; never written to
    cache: Path
    offline: bool = False  # fetch nothing
    shipped: Path | None = None  # looked at after `model_dir`; never written to


def quiet(_name: str, _done_bytes: int, _total_bytes: int) -> None:
    """Show no progress."""


def locate(spec: ModelSpec, places: WeightPlaces) -> Path | None:
    """Return where the main file of a model lies, its further files beside it, unchecked; None where one is missing.

    Raises WeightsError where a folder may not be looked into.
    """
    candidates = [
        *(folder / spec.name / spec.file_name for folder in (places.model_dir, places.shipped) if folder),
        places.cache / spec.name / spec.file_name,
        _kept_at(spec, places) / spec.file_name,
    ]
    candidates += [path_of(source[0], spec.manifest) for source in spec.sources if _lies_here(source)]
    try:
        return next((path for path in candidates if all(map(Path.is_file, files_at(spec, path).values()))), None)
    except PermissionError as error:
        raise WeightsError(
            f"{spec.name}: {error.filename} may not be read by user {os.geteuid()}; `chmod -R a+rX` its folder"
        ) from error


def files_at(spec: ModelSpec, path: Path) -> dict[str, Path]:
    """Return file name -> where it lies, for every file of a model whose main file is `path`."""
    return {spec.file_name: path} | {file.file_name: path.with_name(file.file_name) for file in spec.further_files}


def ensure(spec: ModelSpec, places: WeightPlaces, progress: Progress = quiet) -> Path:
    """Return the checked main file of a model, its checked further files beside it; what is missing is fetched.

    Raises WeightsError: missing and not to be had, or a wrong sha256 (the file is removed where it is in the cache).
    """
    if path := locate(spec, places):
        return _checked(spec, path, places)
    for file in spec.files:
        if not _usable(file, places):
            raise WeightsError(_missing(spec, file, places, "nothing is fetched because REELWARDEN_OFFLINE is set"))
    with _locked(spec, places, progress):
        if path := locate(spec, places):  # another process was faster
            return _checked(spec, path, places)
        return _fetched(spec, places, progress)


def ensure_all(
    specs: Sequence[ModelSpec], places: WeightPlaces, progress: Progress = quiet
) -> dict[str, Path]:  # fmt: skip
    """Return model name -> checked weights; several are fetched at once.

    One failure does not stop the others; WeightsError then tells of each.
    """
    stopping = threading.Event()

    def watched(name: str, done_bytes: int, total_bytes: int) -> None:
        if stopping.is_set():
            raise StoppedDownloadError(f"{name}: stopped; the next run goes on from here")
        progress(name, done_bytes, total_bytes)

    wanted = {spec.name: spec for spec in specs}
    paths: dict[str, Path] = {}
    failures = []
    with ThreadPoolExecutor(_AT_ONCE, "weights") as pool:
        try:
            futures = {pool.submit(ensure, spec, places, watched): name for name, spec in wanted.items()}
            for future in as_completed(futures):
                try:
                    paths[futures[future]] = future.result()
                except WeightsError as error:
                    failures.append(str(error))
        finally:
            stopping.set()
            pool.shutdown(cancel_futures=True)
    if failures:
        raise WeightsError("; and ".join(sorted(failures)))
    return paths


def verify(spec: ModelSpec, places: WeightPlaces) -> Path | None:
    """Hash the weights of a model even if they were checked before; None where they are missing.

    Raises WeightsError when a sha256 is wrong (the file is removed where it is in the cache).
    """
    path = locate(spec, places)
    if path:
        for file, lies in _each(spec, path):
            _hash(spec, file, lies, places)
    return path


def licence_texts(path: Path) -> dict[str, Path]:
    """Return the licence texts that lie beside weights, by file name."""
    beside = [path.with_name(f"{path.stem}.LICENSE.txt"), *sorted((path.parent / "LICENSES").glob("*"))]
    return {text.name: text for text in beside if text.is_file()}


def _entry(spec: ModelSpec) -> str:
    return f"{spec.name}-{spec.sha256[:12]}"


def _kept_at(spec: ModelSpec, places: WeightPlaces) -> Path:
    """Return the folder for the files of a model that were fetched."""
    return places.cache / _entry(spec)


def _lies_here(source: tuple[Source, ...]) -> bool:
    return len(source) == 1 and not source[0].remote and not source[0].member


def _each(spec: ModelSpec, path: Path) -> Iterator[tuple[WeightFile, Path]]:
    return zip(spec.files, files_at(spec, path).values(), strict=True)


def _checked(spec: ModelSpec, path: Path, places: WeightPlaces) -> Path:
    """Return `path` if every file has the right sha256, now or at an earlier check since which it did not change."""
    for file, lies in _each(spec, path):
        if not _was_checked(file, lies, places):
            _hash(spec, file, lies, places)
    return path


def _was_checked(file: WeightFile, path: Path, places: WeightPlaces) -> bool:
    try:
        return _stamp(file, places).read_text(encoding="utf-8") == _seen(path)
    except OSError:
        return False


def _hash(spec: ModelSpec, file: WeightFile, path: Path, places: WeightPlaces) -> None:
    """Raise WeightsError if the sha256 is wrong; else remember that it was right."""
    if (found := _sha256(path)) != file.sha256:
        _refuse(spec, file, path, found, places)
    _remember(file, path, places)


def _remember(file: WeightFile, path: Path, places: WeightPlaces) -> None:
    stamp = _stamp(file, places)
    with contextlib.suppress(OSError):  # a read-only cache: the file is hashed at every start
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(_seen(path), encoding="utf-8")


def _seen(path: Path) -> str:
    facts = path.stat()
    return f"{path.resolve()}\n{facts.st_size} {facts.st_mtime_ns} {facts.st_ctime_ns} {facts.st_ino}\n"


def _stamp(file: WeightFile, places: WeightPlaces) -> Path:
    return places.cache / ".verified" / file.sha256


def _refuse(spec: ModelSpec, file: WeightFile, path: Path, found: str, places: WeightPlaces) -> NoReturn:
    message = f"{spec.name}: {path} has sha256 {found}, expected {file.sha256}"
    if path.is_relative_to(places.cache):
        with contextlib.suppress(OSError):
            path.unlink()
    if path.exists():
        raise WeightsError(f"{message}; replace or remove the file")
    raise WeightsError(f"{message}; the file was removed, run again to fetch it")


@contextmanager
def _locked(spec: ModelSpec, places: WeightPlaces, progress: Progress) -> Iterator[None]:
    """Let one thread of one process fetch a model; others wait here until it is done."""
    path = places.cache / ".locks" / f"{_entry(spec)}.lock"
    try:
        lock = acquired(path, lambda: progress(spec.name, 0, 0))
    except OSError as error:
        reason = f"the cache cannot be written to ({error.strerror or error})"
        raise WeightsError(_missing(spec, spec, places, reason)) from error
    try:
        yield
    finally:
        lock.release()


def _fetched(spec: ModelSpec, places: WeightPlaces, progress: Progress) -> Path:
    """Fetch every file that is missing, the main one last: it is what counts; under the lock."""
    work = places.cache / ".work" / _entry(spec)
    kept_at = _kept_at(spec, places)
    for file in reversed(spec.files):
        if not (kept_at / file.file_name).is_file():
            whole = _fetched_file(spec, file, places, work, progress)
            _keep(whole, file, kept_at, work, places)
    shutil.rmtree(work, ignore_errors=True)
    return _checked(spec, kept_at / spec.file_name, places)


def _fetched_file(spec: ModelSpec, file: WeightFile, places: WeightPlaces, work: Path, progress: Progress) -> Path:
    """Return a file from the first source that delivers, with the right sha256."""
    from model_zoo.sources.fetch import fetch, forget  # who has all weights need not load what fetches them

    reasons = []
    for source in _usable(file, places):
        try:
            work.mkdir(parents=True, exist_ok=True)
            whole = fetch(source, file, spec.manifest, work, partial(progress, spec.name))
            if (found := _sha256(whole)) == file.sha256:
                return whole
            forget(source, file, work)
            name = " + ".join(map(str, source))
            reasons.append(f"{name} has sha256 {found}, expected {file.sha256}, and was removed")
        except StoppedDownloadError:
            raise
        except InterruptedDownloadError as error:
            reasons.append(str(error))
        except WeightsError as error:
            forget(source, file, work)
            reasons.append(str(error))
        except OSError as error:
            reasons.append(f"{places.cache}: {error.strerror or error}")
    raise WeightsError(_missing(spec, file, places, "; ".join(reasons)))


def _usable(file: WeightFile, places: WeightPlaces) -> list[tuple[Source, ...]]:
    return [source for source in file.sources if not (places.offline and any(part.remote for part in source))]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _keep(whole: Path, file: WeightFile, folder: Path, work: Path, places: WeightPlaces) -> None:
    """Move a fetched file and the licence texts that came with it to their place, the file last."""
    (folder / "LICENSES").mkdir(parents=True, exist_ok=True)
    for text in (work / "LICENSES").glob("*"):
        text.replace(folder / "LICENSES" / text.name)
    _remember(file, whole.replace(folder / file.file_name), places)


def _missing(spec: ModelSpec, file: WeightFile, places: WeightPlaces, reason: str) -> str:
    return (
        f"{spec.name}: {file.file_name} ({file.size_bytes / 1e6:.1f} MB, sha256 {file.sha256}) is neither in "
        f"{places.model_dir / spec.name} nor in {places.cache / spec.name}, and could not be fetched: {reason}. "
        f"Without a network: run `reelwarden models pack --out model.tar.gz {spec.name}` on a connected machine "
        f"and `tar -xzf model.tar.gz -C {places.cache}` here"
    )
