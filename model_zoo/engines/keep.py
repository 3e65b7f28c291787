"""Keep engines, and find the one that fits: the file, the shapes, the GPU and the library must all be the same.

An engine is a folder in `engines/` of the places where weights lie. It counts from the moment that it has an
`engine.json`, which is written last, so that a build that is killed leaves nothing that is taken for an engine.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from model_zoo.engines.build import Told
from model_zoo.errors import WeightsError
from model_zoo.locks import acquired
from model_zoo.manifest import ModelSpec
from model_zoo.weights import WeightPlaces

FACTS = "engine.json"
PLAN = "engine.plan"
SAY_EVERY = 10  # seconds of waiting for another process


class Fit(BaseModel):
    """What must be the same where an engine is built and where it runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    model_sha256: str  # of the manifest's file
    precision: str
    content_sha256: str  # of the ONNX file that was compiled: this precision, and what serving puts in front of it
    shapes: str
    gpu: str  # "Tesla T4 (sm 75)", or "sm 75" where any GPU of that capability will do
    library: str  # with its version

    @property
    def folder(self) -> str:
        """Return the name of the folder of such an engine."""
        digest = hashlib.sha256(self.model_dump_json().encode()).hexdigest()
        return f"{self.model}-{self.model_sha256[:12]}/{self.precision}-{digest[:16]}"

    def difference(self, other: Fit) -> str | None:
        """Say what first keeps an engine of this fit from being used for another; None where nothing does."""
        for name, value in self:
            if (wanted := getattr(other, name)) != value:
                shown = [text[:12] if name.endswith("sha256") else text for text in (value, wanted)]
                return f"its {name.replace('_', ' ')} is {shown[0]}, here it is {shown[1]}"
        return None


class EngineFacts(BaseModel):
    """What is written beside an engine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fit: Fit
    build_seconds: float
    sha256: dict[str, str]  # file name -> what it must be


@dataclass(frozen=True, slots=True)
class Kept:
    """An engine that lies ready."""

    folder: Path
    facts: EngineFacts

    @property
    def plan(self) -> Path:
        """Return the file of TensorRT's own engine."""
        return self.folder / PLAN


def find(fit: Fit, places: WeightPlaces) -> Kept | None:
    """Return the engine that fits and whose files are what they were; None where there is none."""
    for root in _roots(places):
        kept = _read(root / fit.folder)
        if kept and kept.facts.fit == fit and _whole(kept):
            return kept
    return None


def why_none(fit: Fit, places: WeightPlaces) -> str:
    """Say why no engine was found: what is different about the nearest one, or that there is none."""
    reasons = []
    for root in _roots(places):
        for kept in filter(None, map(_read, sorted(root.glob(f"{fit.model}-*/*")))):
            same = sum(getattr(kept.facts.fit, name) == value for name, value in fit)
            reason = kept.facts.fit.difference(fit) or "its files are damaged"
            reasons.append((same, f"the engine in {kept.folder} does not fit: {reason}"))
    return max(reasons)[1] if reasons else "no engine was built for it yet"


def ensure(fit: Fit, places: WeightPlaces, make: Callable[[Path], float], told: Told) -> tuple[Kept, bool]:
    """Return the engine that fits, and whether it was made now: in one process, while others wait.

    `make` puts the engine's files into the folder and returns how long that took. What it raises is passed on, and
    nothing is kept. Raises WeightsError where the cache cannot be written to.
    """
    if kept := find(fit, places):
        return kept, False
    folder = places.cache / "engines" / fit.folder
    lock_path = places.cache / ".locks" / f"engine-{fit.folder.replace('/', '-')}.lock"
    try:
        lock = acquired(lock_path, _waiting(fit, told))
    except OSError as error:
        raise WeightsError(f"{fit.model}: no engine is built, as the cache cannot be written to ({error})") from error
    try:
        if kept := find(fit, places):  # another process was faster
            return kept, False
        return _made(fit, folder, make), True
    finally:
        lock.release()


def _made(fit: Fit, folder: Path, make: Callable[[Path], float]) -> Kept:
    shutil.rmtree(folder, ignore_errors=True)  # what a killed build left, or a damaged engine
    try:
        folder.mkdir(parents=True)
        seconds = make(folder)
        files = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
        facts = EngineFacts(fit=fit, build_seconds=round(seconds, 1), sha256=files)
        _write_last(folder / FACTS, facts.model_dump_json(indent=1) + "\n")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise WeightsError(f"{fit.model}: {folder} cannot be written ({error.strerror or error})") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Kept(folder, facts)


def _write_last(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, "utf-8")
    part.replace(path)


def _waiting(fit: Fit, told: Told) -> Callable[[], None]:
    seconds = 0

    def waiting() -> None:
        nonlocal seconds
        seconds += 1
        if seconds % SAY_EVERY == 1:
            told(f"{fit.model}: waiting for another process that builds its engine, for {seconds} s")

    return waiting


def _roots(places: WeightPlaces) -> Iterator[Path]:
    for folder in (places.model_dir, places.shipped, places.cache):
        if folder is not None:
            yield folder / "engines"


def _read(folder: Path) -> Kept | None:
    try:
        return Kept(folder, EngineFacts.model_validate_json((folder / FACTS).read_text("utf-8")))
    except (OSError, UnicodeDecodeError, ValidationError):
        return None


def _whole(kept: Kept) -> bool:
    try:
        return all(_sha256(kept.folder / name) == sha256 for name, sha256 in kept.facts.sha256.items())
    except OSError:
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_sha256(content: bytes) -> str:
    """Return the sha256 of an ONNX file as it is compiled."""
    return hashlib.sha256(content).hexdigest()


def fit_of(spec: ModelSpec, content: bytes, precision: str, shapes: str, gpu: str, library: str) -> Fit:
    """Return what an engine of this model must be like."""
    return Fit(
        model=spec.name,
        model_sha256=spec.sha256,
        precision=precision,
        content_sha256=content_sha256(content),
        shapes=shapes,
        gpu=gpu,
        library=library,
    )
