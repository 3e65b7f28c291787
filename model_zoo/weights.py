"""Find the weights of a model, or fetch them; no file is used before its sha256 was checked. See docs/weights.md."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from filelock import FileLock, Timeout

from model_zoo.errors import WeightsError
from model_zoo.manifest import ModelSpec
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


def quiet(_name: str, _done_bytes: int, _total_bytes: int) -> None:
    """Show no progress."""


def locate(spec: ModelSpec, places: WeightPlaces) -> Path | None:
    """Return where the weights of a model lie, unchecked; None where they are missing."""
    candidates = [
        places.model_dir / spec.name / spec.file_name,
        places.cache / spec.name / spec.file_name,
        places.cache / _entry(spec) / spec.file_name,
    ]
    candidates += [path_of(source[0], spec.manifest) for source in spec.sources if _lies_here(source)]
    return next((path for path in candidates if path.is_file()), None)


def ensure(spec: ModelSpec, places: WeightPlaces, progress: Progress = quiet) -> Path:
    """Return the checked weights of a model, fetched from the first source that has them where they are missing.

    Raises WeightsError: missing and not to be had, or a wrong sha256 (the file is removed where it is in the cache).
    """
    if path := locate(spec, places):
        return _checked(spec, path, places)
    if not _usable(spec, places):
        raise WeightsError(_missing(spec, places, "nothing is fetched because REELWARDEN_OFFLINE is set"))
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

    Raises WeightsError when the sha256 is wrong (the file is removed where it is in the cache).
    """
    path = locate(spec, places)
    if path:
        _hashed(spec, path, places)
    return path


def licence_texts(path: Path) -> dict[str, Path]:
    """Return the licence texts that lie beside weights, by file name."""
    beside = [path.with_name(f"{path.stem}.LICENSE.txt"), *sorted((path.parent / "LICENSES").glob("*"))]
    return {text.name: text for text in beside if text.is_file()}


def _entry(spec: ModelSpec) -> str:
    return f"{spec.name}-{spec.sha256[:12]}"


def _lies_here(source: tuple[Source, ...]) -> bool:
    return len(source) == 1 and not source[0].remote and not source[0].member


def _checked(spec: ModelSpec, path: Path, places: WeightPlaces) -> Path:
    """Return `path` if its sha256 is right, now or at an earlier check since which it did not change."""
    with contextlib.suppress(OSError):
        if _stamp(spec, places).read_text(encoding="utf-8") == _seen(path):
            return path
    return _hashed(spec, path, places)


def _hashed(spec: ModelSpec, path: Path, places: WeightPlaces) -> Path:
    """Return `path` if its sha256 is right, and remember that it was."""
    if (found := _sha256(path)) != spec.sha256:
        _refuse(spec, path, found, places)
    _remember(spec, path, places)
    return path


def _remember(spec: ModelSpec, path: Path, places: WeightPlaces) -> None:
    stamp = _stamp(spec, places)
    with contextlib.suppress(OSError):  # a read-only cache: the file is hashed at every start
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(_seen(path), encoding="utf-8")


def _seen(path: Path) -> str:
    facts = path.stat()
    return f"{path.resolve()}\n{facts.st_size} {facts.st_mtime_ns} {facts.st_ctime_ns} {facts.st_ino}\n"


def _stamp(spec: ModelSpec, places: WeightPlaces) -> Path:
    return places.cache / ".verified" / spec.sha256


def _refuse(spec: ModelSpec, path: Path, found: str, places: WeightPlaces) -> NoReturn:
    message = f"{spec.name}: {path} has sha256 {found}, expected {spec.sha256}"
    if path.is_relative_to(places.cache):
        with contextlib.suppress(OSError):
            path.unlink()
    if path.exists():
        raise WeightsError(f"{message}; replace or remove the file")
    raise WeightsError(f"{message}; the file was removed, run again to fetch it")


@contextmanager
def _locked(spec: ModelSpec, places: WeightPlaces, progress: Progress) -> Iterator[None]:
    """Let one thread of one process fetch a model; others wait here until it is done."""
    lock = FileLock(places.cache / ".locks" / f"{_entry(spec)}.lock")
    while not lock.is_locked:
        try:
            Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=1.0)
        except Timeout:
            progress(spec.name, 0, 0)
        except OSError as error:
            reason = f"the cache cannot be written to ({error.strerror or error})"
            raise WeightsError(_missing(spec, places, reason)) from error
    try:
        yield
    finally:
        lock.release()


def _fetched(spec: ModelSpec, places: WeightPlaces, progress: Progress) -> Path:
    """Fetch from the first source that delivers; under the lock."""
    from model_zoo.sources.fetch import fetch  # who has all weights need not load what fetches them

    reasons = []
    for source in _usable(spec, places):
        work = places.cache / ".work" / _entry(spec) / hashlib.sha256(str(source).encode()).hexdigest()[:12]
        try:
            work.mkdir(parents=True, exist_ok=True)
            whole = fetch(source, spec, work, partial(progress, spec.name))
            if (found := _sha256(whole)) == spec.sha256:
                return _kept(spec, places, work)
            shutil.rmtree(work)
            name = " + ".join(map(str, source))
            reasons.append(f"{name} has sha256 {found}, expected {spec.sha256}, and was removed")
        except StoppedDownloadError:
            raise
        except InterruptedDownloadError as error:
            reasons.append(str(error))
        except WeightsError as error:
            shutil.rmtree(work)
            reasons.append(str(error))
        except OSError as error:
            reasons.append(f"{places.cache}: {error.strerror or error}")
    raise WeightsError(_missing(spec, places, "; ".join(reasons)))


def _usable(spec: ModelSpec, places: WeightPlaces) -> list[tuple[Source, ...]]:
    return [source for source in spec.sources if not (places.offline and any(part.remote for part in source))]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _kept(spec: ModelSpec, places: WeightPlaces, work: Path) -> Path:
    """Move fetched weights and their licence texts to their place, the weights last: they are what counts."""
    entry = places.cache / _entry(spec)
    entry.mkdir(exist_ok=True)
    if (work / "LICENSES").exists() and not (entry / "LICENSES").exists():
        (work / "LICENSES").replace(entry / "LICENSES")
    path = (work / "whole").replace(entry / spec.file_name)
    shutil.rmtree(work.parent)
    _remember(spec, path, places)
    return path


def _missing(spec: ModelSpec, places: WeightPlaces, reason: str) -> str:
    return (
        f"{spec.name}: {spec.file_name} ({spec.size_bytes / 1e6:.1f} MB, sha256 {spec.sha256}) is neither in "
        f"{places.model_dir / spec.name} nor in {places.cache / spec.name}, and could not be fetched: {reason}. "
        f"Without a network: run `reelwarden models pack --out model.tar.gz {spec.name}` on a connected machine "
        f"and `tar -xzf model.tar.gz -C {places.cache}` here"
    )
