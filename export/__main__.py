"""`python -m export DOMAIN/MODEL --to onnx|fp16|int8|tensorrt`: a model in another precision, where it stays true."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import onnx
import platformdirs

from export.parity import Parity, compare
from export.precisions import as_fp16, as_int8, float_biases, runner, simplified
from export.samples import frames_of, network_rows
from model_zoo.engines.build import Aim, build
from model_zoo.errors import ReelwardenError, UsageError, WeightsError
from model_zoo.manifest import ModelSpec, domains, load
from model_zoo.precisions import kept_at, names
from model_zoo.values import Frames, SoundWindows, Tensor
from model_zoo.weights import WeightPlaces, ensure

ROWS = 24
GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "media"


def find_spec(name: str) -> ModelSpec:
    """Return the manifest entry of DOMAIN/MODEL; raises UsageError."""
    domain, _, model = name.partition("/")
    known = {f"{spec.domain}/{spec.name}": spec for one in domains() for spec in load(one)}
    if f"{domain}/{model}" not in known:
        raise UsageError(f"{name!r}: no such model; there are {', '.join(known)}")
    return known[f"{domain}/{model}"]


def places() -> WeightPlaces:
    """Return where weights lie, and where what is exported for serving is kept: as serving has it."""
    cache = os.environ.get("REELWARDEN_CACHE") or platformdirs.user_cache_path("reelwarden")
    return WeightPlaces(Path("/opt/ml/model"), Path(cache), offline=False)


def weights_of(spec: ModelSpec) -> Path:
    """Return the checked file of a model, fetched if it is not there."""
    return ensure(spec, places())


def in_precision(
    spec: ModelSpec, plain: onnx.ModelProto, precision: str, calibration: Path, most_rows: int = ROWS
) -> onnx.ModelProto:  # fmt: skip
    """Return the simplified model in another precision."""
    if precision == "fp16":
        return as_fp16(plain)
    if precision == "int8":
        rows = _rows(frames_of(calibration, spec, most_rows))
        converted = as_int8(plain, _input_name(spec), network_rows(spec, rows))
        if not float_biases(converted):
            raise WeightsError(f"{spec.name}: the INT8 file has 32-bit biases, which TensorRT refuses")
        return converted
    return plain


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
    data, name = network_rows(spec, _rows(rows)), _input_name(spec)
    return compare(spec, precision, rows, runner(plain)(name, data), runner(converted)(name, data))


def export(spec: ModelSpec, arguments: argparse.Namespace) -> None:
    """Write what was asked for. Raises WeightsError, and writes no model, where the precision moves too far."""
    plain = simplified(weights_of(spec))
    precision = {"onnx": "fp32", "tensorrt": arguments.precision}.get(arguments.to, arguments.to)
    converted = in_precision(spec, plain, precision, arguments.calibration, arguments.rows)
    content = converted.SerializeToString(deterministic=True)
    out = kept_at(spec, places()) if arguments.keep else arguments.out
    out.mkdir(parents=True, exist_ok=True)
    file, proof = (out / name for name in names(spec, precision))
    if precision != "fp32":
        report = parity(spec, plain, converted, precision, arguments.golden, arguments.rows)
        report = report.model_copy(
            update={"source_sha256": spec.sha256, "file_sha256": hashlib.sha256(content).hexdigest()}
        )
        proof.write_text(report.model_dump_json(indent=1) + "\n", "utf-8")
        moved = f"{report.gate}: {report.moved:.4g} on {report.rows} rows, {report.tolerance:g} is allowed"
        print(f"{spec.name} {precision}: {moved}")
        if not report.passed:
            file.unlink(missing_ok=True)
            raise WeightsError(f"{spec.name}: {precision} is not written, it moves too far: {moved}")
    if arguments.to == "tensorrt":
        _write_engines(spec, content, file, arguments)
        return
    part = file.with_suffix(".part")  # serving may look while it is written
    part.write_bytes(content)
    part.replace(file)
    print(f"{file}: {file.stat().st_size:,} bytes")


def _write_engines(spec: ModelSpec, content: bytes, file: Path, arguments: argparse.Namespace) -> None:
    """Build for every GPU that was asked for; kernels that were timed before are not timed again."""
    timing: Path | None = arguments.timing_cache
    for sm in arguments.sm or [None]:
        known = timing.read_bytes() if timing and timing.is_file() else b""
        engine = build(content, spec, Aim(sm, arguments.compatible), known, print)
        path = file.with_name(f"{file.stem}.{'this_gpu' if sm is None else f'sm{sm}'}.plan")
        path.write_bytes(engine.plan)
        if timing and engine.timing_cache:
            timing.write_bytes(engine.timing_cache)
        print(f"{path}: {len(engine.plan):,} bytes in {engine.seconds:.1f} s by {engine.library}")


def _rows(rows: Frames | SoundWindows) -> Tensor:
    return rows.samples if isinstance(rows, SoundWindows) else rows.pixels


def _input_name(spec: ModelSpec) -> str:
    return spec.sound.name if spec.sound else spec.sees().name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; errors are one line."""
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    parser.add_argument("model", help="DOMAIN/MODEL, e.g. objects/nanodet_g_416")
    parser.add_argument("--to", choices=["onnx", "fp16", "int8", "tensorrt"], required=True)
    parser.add_argument("--out", type=Path, default=Path("out/export"))
    parser.add_argument("--keep", action="store_true", help="write beside the weights, where serving looks")
    parser.add_argument("--precision", choices=["fp32", "fp16", "int8"], default="fp16", help="of a TensorRT engine")
    parser.add_argument("--sm", type=int, action="append", help="build with TensorRT-RTX for this GPU, without one")
    parser.add_argument(
        "--compatible",
        choices=["none", "same_sm", "ampere_plus"],
        default="none",
        help="other GPUs that TensorRT's engine is to run on; it may be slower",
    )
    parser.add_argument("--timing-cache", type=Path, help="a file that makes the next engine for the same GPU faster")
    parser.add_argument("--calibration", type=Path, default=GOLDEN, help="folder of videos that int8 is fitted to")
    parser.add_argument("--golden", type=Path, default=GOLDEN, help="folder of videos that precisions are compared on")
    parser.add_argument("--rows", type=int, default=ROWS, help="pictures, or windows of sound, of each folder")
    given = parser.parse_args(arguments)
    try:
        export(find_spec(given.model), given)
    except ReelwardenError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
