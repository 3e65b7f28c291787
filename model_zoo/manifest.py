"""Manifests: every model is one entry of its domain's models.toml, parsed here once into a `ModelSpec`."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from model_zoo.errors import ManifestError
from model_zoo.report import Grade
from model_zoo.values import Anchor, Fit, Interpolation, View


class Entry(BaseModel):
    """Settings shared by every table of a manifest: closed, so that a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Licence(Entry):
    """Under what terms the weights and their code may be used (SPDX ids; `unknown` where nobody says)."""

    weights: str
    code: str
    commercial: bool
    note: str = ""


class Input(Entry):
    """What the network takes; anything but uint8 RGB NHWC gets a front in the graph when it is loaded."""

    name: str
    width: int
    height: int
    fit: Fit
    crop_share: float = Field(default=1.0, gt=0, le=1)
    anchor: Anchor = "centre"
    pad: int = Field(default=0, ge=0, le=255)
    interpolation: Interpolation = "area"
    dtype: Literal["uint8", "float32"] = "uint8"
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    colour: Literal["RGB", "BGR"] = "RGB"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)  # per channel in the network's order, in 0..255 units
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)  # value = (pixel - mean) / std

    def view(self) -> View:
        """Return how frames must be delivered to this network."""
        return View(
            self.width, self.height, self.fit, self.crop_share, self.anchor, self.pad, self.interpolation
        )  # fmt: skip


class Batch(Entry):
    """Rows per call: what is fastest on CPU, and the most that is sensible."""

    best: int = 4
    most: int = 32


class Precision(Entry):
    """How far outputs may move from fp32 in this precision."""

    tolerance: float


class Quality(Entry):
    """A figure and who measured it."""

    metric: str
    value: float | None = None
    dataset: str = ""
    source: str


class Conversion(Entry):
    """How a file kept in the project was made from its source."""

    recipe: str
    source: str
    source_sha256: str
    parity_against: str
    parity_max_abs: float


class CoverageEntry(Entry):
    """A label of the report that this model gives evidence for."""

    label: str
    grade: Grade
    reason: str = ""


class ModelSpec(Entry):
    """One manifest entry."""

    name: str
    domain: str
    role: str
    title: str
    default: bool = False  # fills its role unless the user names another model
    decoder: str  # the domain's post-processing that understands the outputs
    sources: tuple[str, ...] = Field(min_length=1)  # in order of preference
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(gt=0)
    licence: Licence
    input: Input
    outputs: tuple[str, ...]
    labels: tuple[str, ...] = ()
    labels_file: str = ""  # one label a line, beside the manifest; read into `labels`
    batch: Batch = Batch()
    precisions: dict[str, Precision] = Field(default_factory=lambda: {"fp32": Precision(tolerance=0.0)})
    upstream_quality: tuple[Quality, ...] = ()
    coverage: tuple[CoverageEntry, ...] = ()
    conversion: Conversion | None = None

    @model_validator(mode="after")
    def _repo_files_say_how_they_were_made(self) -> ModelSpec:
        if any(source.startswith("repo:") for source in self.sources) and self.conversion is None:
            raise ValueError("a `repo:` source needs a [conversion] table: recipe, source, source_sha256, parity")
        return self
