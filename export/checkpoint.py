"""From a checkpoint of a training library to an ONNX file that answers as the library does, and its manifest entry."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

from export.conversion import Wanted, gated, write_model
from export.graph_nms import with_nms
from export.parity import Parity, compare
from export.precisions import feeder, simplified
from export.samples import Rows, Texts, feeds, frames_of
from export.sources.known import read
from export.sources.network import RANDOM, ROLES, Asked, Network
from model_zoo.errors import UsageError
from model_zoo.licences import PERMISSIVE
from model_zoo.manifest import Conversion, Licence, ModelSpec, Precision
from model_zoo.sources.scheme import parse
from model_zoo.values import SoundWindows, Tensor

# fp32 must say what the library says; the others are held against fp32
TOLERANCES = {"fp32": 0.001, "fp16": 0.01, "int8": 0.05}


@dataclass(frozen=True, slots=True)
class Naming:
    """How the result is called, and under what terms."""

    name: str = ""  # by default that of the checkpoint
    licence: str = ""  # SPDX id of the weights; by default what is known of the source
    nms: bool = False  # overlapping boxes are thinned out in the graph


def from_checkpoint(given: str, asked: Asked, naming: Naming, wanted: Wanted) -> tuple[ModelSpec, onnx.ModelProto]:
    """Write the fp32 file of `SOURCE:WHAT` and its entry; return both. Raises WeightsError where it moves too far."""
    network = read(given, asked)
    name = naming.name or _name(given, asked)
    wanted.out.mkdir(parents=True, exist_ok=True)
    for file, content in network.beside.items():
        (wanted.out / file).write_bytes(content)
    stem = wanted.out / f"{name}.fp32"
    spec = _spec(name, given, network, naming, stem)
    model = _simplified(with_nms(network.model) if naming.nms else network.model)
    report = against_library(spec, network, model, wanted, nms=naming.nms)
    gated(spec, report, stem)
    told = spec.model_copy(update={"conversion": _conversion(given, asked, network, report)})
    return write_model(told, model.SerializeToString(deterministic=True), stem), model


def against_library(spec: ModelSpec, network: Network, model: onnx.ModelProto, wanted: Wanted, *, nms: bool) -> Parity:
    """Compare a graph with the library it is from: its tensors, and what is made of them."""
    rows = frames_of(wanted.golden, spec, wanted.rows)
    pixels = _library_rows(rows)
    tensors = {} if nms else network.answer(pixels)  # thinned out, they are other tensors
    said = network.says(pixels) if network.says else None
    return compare(spec, "fp32", rows, tensors, feeder(model)(feeds(spec, rows)), network.library, said)


def _library_rows(rows: Rows) -> Tensor:
    if isinstance(rows, SoundWindows):
        raise UsageError("checkpoints of networks that hear are not read; see docs/export.md")
    return rows.ids if isinstance(rows, Texts) else rows.pixels


def _simplified(model: onnx.ModelProto) -> onnx.ModelProto:
    with TemporaryDirectory(prefix="reelwarden-") as folder:
        path = Path(folder, "model.onnx")
        onnx.save(model, path)
        return simplified(path)


def _name(given: str, asked: Asked) -> str:
    """Make a name for the manifest out of that of the checkpoint."""
    source, _, what = given.partition(":")
    words = (what.rpartition(":")[2] or Path(asked.weights).stem).removesuffix(".yaml")
    return re.sub(r"[^a-z0-9]+", "_", Path(words).name.lower()).strip("_") or source


def _spec(name: str, given: str, network: Network, naming: Naming, stem: Path) -> ModelSpec:
    """Return the entry; hash and size follow when the file is written."""
    domain, _, role = network.role.partition(".")
    table = "input" if hasattr(network.taken, "fit") else "text"
    return ModelSpec(
        name=name,
        domain=domain,
        role=role,
        title=network.title,
        manifest=stem.with_name(f"{stem.name}.toml"),
        decoder=ROLES[network.role].decoder,
        sources=((parse(f"file:{stem.name}.onnx"),),),
        sha256="0" * 64,
        size_bytes=1,
        licence=_licence(network.licence, naming.licence),
        outputs=network.outputs,
        labels=network.labels,
        precisions={precision: Precision(tolerance=most) for precision, most in TOLERANCES.items()},
        **{table: network.taken},
    )


def _licence(known: Licence, told: str) -> Licence:
    if not told or told == known.weights:
        return known
    return Licence(weights=told, code=known.code, commercial=told in PERMISSIVE)


def _conversion(given: str, asked: Asked, network: Network, report: Parity) -> Conversion | None:
    """Say what the file was made of; random weights were made of nothing."""
    file = Path(asked.weights) if asked.weights not in ("", RANDOM) else network.origin
    if file is None:
        return None
    return Conversion(
        recipe=f"python -m export --from {given.partition(':')[0]}",
        source=file.name,
        source_sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        parity_against=network.library,
        parity_max_abs=float(f"{max((change.largest for change in report.tensors), default=0.0):.3g}"),
    )
