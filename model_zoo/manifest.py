"""Manifests: every model is one entry of its domain's models.toml, parsed here once into a `ModelSpec`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from model_zoo.errors import ManifestError
from model_zoo.nearest import did_you_mean
from model_zoo.report import Grade
from model_zoo.sources.scheme import Source, parse
from model_zoo.values import Anchor, Fit, Interpolation, View

PACKAGE = Path(__file__).parent  # `repo:` sources and the domains' folders are relative to it


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
    width: int = Field(ge=0)  # pixels; 0 where the network takes any, one for all rows of a batch
    height: int = Field(ge=0)
    fit: Fit
    crop_share: float = Field(default=1.0, gt=0, le=1)
    anchor: Anchor = "centre"
    pad: int = Field(default=0, ge=0, le=255)
    interpolation: Interpolation = "area"
    any_side: tuple[int, int, int] = (32, 320, 960)  # least, usual and most pixels of a side that may have any length
    dtype: Literal["uint8", "float32"] = "uint8"
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    colour: Literal["RGB", "BGR"] = "RGB"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)  # per channel in the network's order, in 0..255 units
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)  # value = (pixel - mean) / std

    def view(self) -> View:
        """Return how frames must be delivered to this network; raises ManifestError where it takes any size."""
        if not (self.width and self.height):
            raise ManifestError(f"input {self.name!r} takes any size; its domain decides how frames are delivered")
        return View(
            self.width, self.height, self.fit, self.crop_share, self.anchor, self.pad, self.interpolation
        )  # fmt: skip


class SoundInput(Entry):
    """What a network that hears takes: float32 (N, S), mono, -1..1, S being one window."""

    name: str
    sample_rate: int = Field(gt=0)
    window_seconds: float = Field(gt=0)
    hop_seconds: float = Field(gt=0)  # from the start of one window to the start of the next

    @model_validator(mode="after")
    def _no_sound_goes_unheard(self) -> SoundInput:
        if self.hop_seconds > self.window_seconds:
            raise ValueError(f"hop_seconds={self.hop_seconds:g} leaves sound unheard; the window is shorter than that")
        return self

    @property
    def samples(self) -> int:
        """Return the length of a window in samples."""
        return round(self.sample_rate * self.window_seconds)


class TextInput(Entry):
    """What a network that reads takes: int64 (N, T), numbers of words or of pieces of words."""

    name: str
    tokenizer: Literal["words", "wordpiece", "json"]
    vocabulary_file: str  # one word a line, or a tokenizer.json: one of `further_files`, else beside the manifest
    most_tokens: int = Field(ge=3)  # of one row; with `words` every row has as many
    pad_id: int = Field(default=0, ge=0)
    mask_name: str = ""  # a second input: 1 for tokens, 0 for padding
    types_name: str = ""  # a third input: which of two sentences a token is of; there is one
    languages: tuple[str, ...] = ()  # ISO 639-1 codes of what it understands; empty for any language


class Batch(Entry):
    """Rows per call: what is fastest on CPU, and the most that is sensible."""

    best: int = 4
    most: int = 32


class Precision(Entry):
    """How far final scores (0..1) may move from fp32; without a decoder, any value, as a share of the largest."""

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


class WeightFile(Entry):
    """One file of a model: where it can be had, and what it must be."""

    sources: tuple[tuple[Source, ...], ...] = Field(min_length=1)  # in order of preference; several parts are joined
    file_name: str = Field(default="", pattern=r"^[^/\\]*$")  # on disk; by default as in the source
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(gt=0)

    @field_validator("sources", mode="before")
    @classmethod
    def _sources_are_written_as_text(cls, value: Any) -> Any:
        """Parse `"scheme:where#member"`; a list inside the list is one source in several parts."""
        if not isinstance(value, list | tuple):
            return value
        return tuple(
            tuple(parse(part) for part in (source if isinstance(source, list | tuple) else (source,)))
            for source in value
        )

    @model_validator(mode="after")
    def _the_file_has_a_name(self) -> Self:
        if not self.file_name:
            if len(self.sources[0]) != 1:
                raise ValueError("a source in several parts needs `file_name`, the name of the joined file")
            object.__setattr__(self, "file_name", self.sources[0][0].file_name)
        return self


class ModelSpec(WeightFile):
    """One manifest entry; its own sources, sha256 and size are those of its main file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    domain: str
    role: str
    title: str
    manifest: Path  # the file that holds the entry
    default: bool = False  # fills its role unless the user names another model
    decoder: str  # the domain's post-processing that understands the outputs
    format: Literal["onnx", "ctranslate2"] = "onnx"  # what kind of backend runs it
    small: bool = False  # a GPU gains nothing: it may run on the CPU whatever the settings say
    further_files: tuple[WeightFile, ...] = ()  # what the main file needs beside it, such as a tokenizer
    licence: Licence
    input: Input | None = None  # of a network that sees
    sound: SoundInput | None = None  # of a network that hears
    text: TextInput | None = None  # of a network that reads
    outputs: tuple[str, ...]
    labels: tuple[str, ...] = ()
    labels_file: str = ""  # one label a line, beside the manifest; read into `labels`
    batch: Batch = Batch()
    precisions: dict[str, Precision] = Field(
        default_factory=lambda: {
            "fp32": Precision(tolerance=0.0),
            "fp16": Precision(tolerance=0.01),
            "int8": Precision(tolerance=0.05),
        }
    )
    upstream_quality: tuple[Quality, ...] = ()
    coverage: tuple[CoverageEntry, ...] = ()
    conversion: Conversion | None = None

    @model_validator(mode="after")
    def _it_takes_pictures_or_sound_or_text(self) -> ModelSpec:
        if sum(table is not None for table in (self.input, self.sound, self.text)) != 1:
            raise ValueError("needs one of the tables `input` (pictures), `sound` and `text`, and not two")
        return self

    @model_validator(mode="after")
    def _files_have_different_names(self) -> ModelSpec:
        names = [file.file_name for file in self.files]
        if len(set(names)) < len(names):
            raise ValueError(f"two files have the same name: {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _repo_files_say_how_they_were_made(self) -> ModelSpec:
        if any(part.scheme == "repo" for source in self.sources for part in source) and self.conversion is None:
            raise ValueError("a `repo:` source needs a [conversion] table: recipe, source, source_sha256, parity")
        return self

    @property
    def files(self) -> tuple[WeightFile, ...]:
        """Return every file of the model, the main one first; they lie in one folder."""
        return (self, *self.further_files)

    @property
    def total_bytes(self) -> int:
        """Return how large all its files are together."""
        return sum(file.size_bytes for file in self.files)

    @property
    def input_name(self) -> str:
        """Return the name of what it takes: pictures, sound or text."""
        taken = self.input or self.sound or self.reads()
        return taken.name

    def sees(self) -> Input:
        """Return what pictures it takes; raises ManifestError for a network that hears."""
        if self.input is None:
            raise ManifestError(f"[{self.name}] needs the table `input`: {self.domain}.{self.role} is given pictures")
        return self.input

    def reads(self) -> TextInput:
        """Return what text it takes; raises ManifestError for a network that sees or hears."""
        if self.text is None:
            raise ManifestError(f"[{self.name}] needs the table `text`: {self.domain}.{self.role} is given text")
        return self.text

    def vocabulary_path(self, folder: Path | None) -> Path:
        """Return where the vocabulary is: among its own files, which lie in `folder`, else beside the manifest."""
        name = self.reads().vocabulary_file
        own = name in {file.file_name for file in self.further_files}
        return (folder if folder is not None and own else self.manifest.parent) / name

    def hears(self) -> SoundInput:
        """Return what sound it takes; raises ManifestError for a network that sees."""
        if self.sound is None:
            raise ManifestError(f"[{self.name}] needs the table `sound`: {self.domain}.{self.role} is given sound")
        return self.sound


_TABLES: dict[str, type[Entry]] = {
    "licence": Licence,
    "input": Input,
    "sound": SoundInput,
    "text": TextInput,
    "batch": Batch,
    "precisions": Precision,
    "upstream_quality": Quality,
    "coverage": CoverageEntry,
    "conversion": Conversion,
    "further_files": WeightFile,
}


def load(domain: str) -> tuple[ModelSpec, ...]:
    """Read the models of a domain from its `models.toml`, in the order they are written."""
    path = PACKAGE / domain / "models.toml"
    if not path.is_file():
        raise ManifestError(f"domain {domain!r} has no models.toml; domains with models are {', '.join(domains())}")
    return read(path, domain=domain)


def domains() -> tuple[str, ...]:
    """Return the names of the domains that bring a `models.toml`."""
    return tuple(sorted(path.parent.name for path in PACKAGE.glob("*/models.toml")))


def read(path: Path, domain: str | None = None) -> tuple[ModelSpec, ...]:
    """Read a manifest; its entries belong to `domain`, or each says its own with the key `domain`."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: the manifest cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise ManifestError(f"{path}: not TOML: {error}") from error
    return tuple(_spec(path, domain, name, table) for name, table in tables.items())


def _spec(path: Path, domain: str | None, name: str, table: Any) -> ModelSpec:
    if not isinstance(table, dict):
        raise ManifestError(f"{path}: `{name}` stands outside a table; every model is a table like [my_model]")
    filled = {"name": name, "manifest": path} | ({} if domain is None else {"domain": domain})
    for key in filled.keys() & table.keys():
        raise ManifestError(f"{path}: [{name}] {key}: leave it out, it is {str(filled[key])!r} already")
    entry = table | filled
    if "labels_file" in table:
        entry["labels"] = _labels(path, name, table)
    try:
        spec = ModelSpec.model_validate(entry)
    except ValidationError as error:
        key, message = _worst(error)
        place = f"[{name}] {key}" if key else f"[{name}]"
        raise ManifestError(f"{path}: {place}: {message}; see docs/models.md") from error
    return spec


def _worst(error: ValidationError) -> tuple[str, str]:
    """Return the key of a mistake and what is wrong: an unknown key before what is missing for it."""
    found = error.errors()
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return key, first["msg"]
    *tables, word = first["loc"]
    owner = _TABLES.get(str(tables[0]), Entry) if tables else ModelSpec
    return key, f"unknown key{did_you_mean(str(word), owner.model_fields)}"


def _labels(path: Path, name: str, table: dict[str, Any]) -> tuple[str, ...]:
    if "labels" in table:
        raise ManifestError(f"{path}: [{name}] labels_file: give `labels` or `labels_file`, not both")
    labels = path.parent / str(table["labels_file"])
    try:
        return tuple(labels.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: [{name}] labels_file: {labels} cannot be read ({error})") from error
