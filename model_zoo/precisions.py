"""Other precisions of a model, exported beside its weights: used only where their parity with fp32 was shown."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from model_zoo.errors import WeightsError
from model_zoo.manifest import ModelSpec
from model_zoo.weights import WeightPlaces

Precision = Literal["fp32", "fp16", "int8"]


class Proof(BaseModel):
    """What the export wrote of how far a precision moved; it writes more than is read here."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    source_sha256: str  # of the weights it was made from
    file_sha256: str  # of the file it speaks of
    gate: str
    moved: float


@dataclass(frozen=True, slots=True)
class Variant:
    """A file in a precision, and why it may be used."""

    path: Path
    precision: Precision
    reason: str


def kept_at(spec: ModelSpec, places: WeightPlaces) -> Path:
    """Return the folder that `python -m export --keep` writes to, and serving looks into."""
    return places.cache / f"{spec.name}-{spec.sha256[:12]}"


def names(spec: ModelSpec, precision: str) -> tuple[str, str]:
    """Return how the file of a precision and its proof are called."""
    return f"{spec.name}.{precision}.onnx", f"{spec.name}.{precision}.parity.json"


def exported(spec: ModelSpec, precision: Precision, weights: Path, places: WeightPlaces) -> Variant:
    """Return the exported file of a precision; raises WeightsError that says why there is none to be used."""
    reason = f"no {precision} file is here: run `python -m export {spec.domain}/{spec.name} --to {precision} --keep`"
    for folder in _folders(spec, weights, places):
        file, proof = (folder / name for name in names(spec, precision))
        if file.is_file():
            try:
                return _proved(spec, precision, file, proof)
            except (OSError, ValidationError) as error:
                reason = f"{file} has no proof of its parity beside it ({type(error).__name__}): export it again"
            except WeightsError as error:
                reason = str(error)
    raise WeightsError(reason)


def _folders(spec: ModelSpec, weights: Path, places: WeightPlaces) -> Iterator[Path]:
    yield weights.parent
    for folder in (places.model_dir, places.shipped, places.cache):
        if folder is not None:
            yield folder / spec.name
    yield kept_at(spec, places)


def _proved(spec: ModelSpec, precision: Precision, file: Path, proof_path: Path) -> Variant:
    proof = Proof.model_validate_json(proof_path.read_text("utf-8"))
    if precision not in spec.precisions:
        raise WeightsError(f"{spec.manifest}: `precisions` of [{spec.name}] does not allow {precision}")
    allowed = spec.precisions[precision].tolerance
    if proof.source_sha256 != spec.sha256:
        raise WeightsError(f"{file} was made from other weights than those of the manifest: export it again")
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != proof.file_sha256:
        raise WeightsError(f"{file} is not the file that its parity was shown of: export it again")
    if proof.moved > allowed:
        raise WeightsError(f"{file} moves too far: {proof.gate}: {proof.moved:.2g}, {allowed:g} is allowed")
    return Variant(file, precision, f"{precision}: exported; {proof.gate}: {proof.moved:.2g} of {allowed:g} allowed")
