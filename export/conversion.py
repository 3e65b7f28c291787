"""Bring a model into another precision, and hold it against fp32; write what stays true, with its manifest entry."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from export.entry import derived, write_entry
from export.int8 import as_int8, in_int8
from export.left_out import Bounds
from export.parity import Parity, compare
from export.precisions import as_fp16, feeder, float_biases, simplified
from export.samples import Rows, feeds, frames_of
from export.weights import places, weights_of
from model_zoo.engines.build import Aim, Compatible, build
from model_zoo.errors import UsageError, WeightsError
from model_zoo.manifest import ModelSpec, domains, load, read
from model_zoo.precisions import kept_at

ROWS = 24
CALIBRATION_ROWS = 96  # with a quarter as many, other clips move several times as far
FITTED_SHARE = 0.8  # of the tolerance, on the rows that INT8 is fitted to; others may move it further
GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "media"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be written, where, and what it is tried on."""

    out: Path
    calibration: Path = GOLDEN  # a folder of videos that int8 is fitted to
    golden: Path = GOLDEN  # a folder of videos that graphs are compared on
    rows: int = ROWS
    calibration_rows: int = CALIBRATION_ROWS
    engine_precision: str = "fp16"
    capabilities: Sequence[int] = ()  # of GPUs that TensorRT-RTX builds for; none: TensorRT, for this machine's
    compatible: Compatible = "none"  # other GPUs that TensorRT's engine is to run on
    timing_cache: Path | None = None  # makes the next engine for the same GPU faster
    keep: bool = False  # write beside the weights, where serving looks


def find_spec(name: str, manifests: Sequence[Path] = ()) -> ModelSpec:
    """Return the manifest entry of DOMAIN/MODEL; raises UsageError."""
    specs = [spec for one in domains() for spec in load(one)]
    specs += [spec for path in manifests for spec in read(path)]
    known = {f"{spec.domain}/{spec.name}": spec for spec in specs}
    if name not in known:
        raise UsageError(f"{name!r}: no such model; there are {', '.join(known)}")
    return known[name]


def in_precision(
    spec: ModelSpec, plain: onnx.ModelProto, precision: str, calibration: Path, most_rows: int = CALIBRATION_ROWS
) -> onnx.ModelProto:  # fmt: skip
    """Return the simplified model in another precision; INT8 is fitted to so many rows of a folder."""
    if precision == "fp16":
        return as_fp16(plain)
    return _int8(spec, plain, frames_of(calibration, spec, most_rows)) if precision == "int8" else plain


def _int8(spec: ModelSpec, plain: onnx.ModelProto, rows: Rows) -> onnx.ModelProto:
    """Return as much of the model in INT8 as moves it no further than the manifest allows, with some room."""
    if "int8" not in spec.precisions:
        raise WeightsError(f"{spec.manifest}: `precisions` of [{spec.name}] does not allow int8")
    fed = feeds(spec, rows)
    wanted = feeder(plain)(fed)

    def moved(model: onnx.ModelProto) -> float:
        return compare(spec, "int8", rows, wanted, feeder(model)(fed)).moved

    converted = as_int8(plain, fed, Bounds(moved, FITTED_SHARE * spec.precisions["int8"].tolerance))
    if not float_biases(converted):
        raise WeightsError(f"{spec.name}: the INT8 file has 32-bit biases, which TensorRT refuses")
    return converted


def parity(
    spec: ModelSpec,
    plain: onnx.ModelProto,
    converted: onnx.ModelProto,
    precision: str,
    golden: Path,
    most_rows: int = ROWS,
) -> Parity:
    """Run both on the golden clips."""
    rows = frames_of(golden, spec, most_rows)
    fed = feeds(spec, rows)
    report = compare(spec, precision, rows, feeder(plain)(fed), feeder(converted)(fed))
    if precision != "int8":
        return report
    quantized, heavy = in_int8(converted)
    return report.model_copy(update={"int8_operators": quantized, "heavy_operators": heavy})


def gated(spec: ModelSpec, report: Parity, stem: Path) -> None:
    """Write the report beside where the file goes; raises WeightsError where the graph moves too far."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_name(f"{stem.name}.parity.json").write_text(report.model_dump_json(indent=1) + "\n", "utf-8")
    print(f"{spec.name} {report.precision} against {report.against}: {report.told}")
    if not report.passed:
        raise WeightsError(f"{spec.name}: {report.precision} is not written, it moves too far: {report.told}")


def export(spec: ModelSpec, plain: onnx.ModelProto, to: str, wanted: Wanted) -> None:
    """Write what was asked for. Raises WeightsError, and writes no model, where the precision moves too far."""
    precision = {"onnx": "fp32", "tensorrt": wanted.engine_precision}.get(to, to)
    converted = in_precision(spec, plain, precision, wanted.calibration, wanted.calibration_rows)
    content = converted.SerializeToString(deterministic=True)
    folder = kept_at(spec, places()) if wanted.keep else wanted.out
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{spec.name}.{precision}"
    if precision != "fp32":
        file_sha256 = hashlib.sha256(content).hexdigest()
        report = parity(spec, plain, converted, precision, wanted.golden, wanted.rows).model_copy(
            update={"source_sha256": spec.sha256, "file_sha256": file_sha256}
        )
        if not report.passed:
            file_of(stem).unlink(missing_ok=True)
        gated(spec, report, stem)
    if to == "tensorrt":
        _write_engines(spec, content, stem, wanted)
    elif wanted.keep:
        _write(content, stem)
    else:
        write_model(derived(spec, precision, folder), content, stem)


def file_of(stem: Path) -> Path:
    """Return the ONNX file of a model in a precision."""
    return stem.with_name(f"{stem.name}.onnx")


def write_model(spec: ModelSpec, content: bytes, stem: Path) -> ModelSpec:
    """Write a model and its manifest entry; return the entry as it is read back."""
    written = write_entry(spec, _write(content, stem))
    print(f"{written.manifest}: [{written.name}]")
    return written


def _write(content: bytes, stem: Path) -> Path:
    path, part = file_of(stem), stem.with_name(f"{stem.name}.part")
    part.write_bytes(content)
    part.replace(path)  # serving may look while it is written
    print(f"{path}: {len(content):,} bytes")
    return path


def _write_engines(spec: ModelSpec, content: bytes, stem: Path, wanted: Wanted) -> None:
    """Build for every GPU that was asked for; kernels that were timed before are not timed again."""
    timing = wanted.timing_cache
    for sm in wanted.capabilities or [None]:
        known = timing.read_bytes() if timing and timing.is_file() else b""
        engine = build(content, spec, Aim(sm, wanted.compatible), known, print)
        path = stem.with_name(f"{stem.name}.{'this_gpu' if sm is None else f'sm{sm}'}.plan")
        path.write_bytes(engine.plan)
        if timing and engine.timing_cache:
            timing.write_bytes(engine.timing_cache)
        print(f"{path}: {len(engine.plan):,} bytes in {engine.seconds:.1f} s by {engine.library}")


def plain_of(spec: ModelSpec) -> onnx.ModelProto:
    """Return a model of a manifest, simplified."""
    return simplified(weights_of(spec))
