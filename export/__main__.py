"""Export models: `python -m export DOMAIN/MODEL --to onnx|fp16|int8|tensorrt`, or from a checkpoint with `--from`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from export.checkpoint import Naming, from_checkpoint
from export.conversion import CALIBRATION_ROWS, GOLDEN, ROWS, Wanted, export, find_spec, in_precision, parity, plain_of
from export.sources.known import SOURCES
from export.sources.network import ROLES, Asked
from export.weights import weights_of
from model_zoo.errors import ReelwardenError, UsageError

__all__ = ["GOLDEN", "find_spec", "in_precision", "main", "parity", "weights_of"]


def run(given: argparse.Namespace) -> None:
    """Do what the command line says."""
    wanted = Wanted(
        out=given.out,
        calibration=given.calibration,
        golden=given.golden,
        rows=given.rows,
        calibration_rows=given.calibration_rows,
        engine_precision=given.precision,
        capabilities=tuple(given.sm or ()),
        compatible=given.compatible,
        timing_cache=given.timing_cache,
        keep=given.keep,
    )
    if bool(given.model) == bool(given.checkpoint):
        raise UsageError("name DOMAIN/MODEL of a manifest, or a checkpoint with --from SOURCE:WHAT")
    if given.model:
        spec = find_spec(given.model, given.manifest or ())
        plain, targets = plain_of(spec), given.to
    else:
        naming = Naming(given.name, given.licence, given.nms)
        spec, plain = from_checkpoint(given.checkpoint, _asked(given), naming, wanted)
        targets = [to for to in given.to if to != "onnx"]  # it is written already
    for to in targets:
        export(spec, plain, to, wanted)


def _asked(given: argparse.Namespace) -> Asked:
    labels = tuple(given.labels.read_text("utf-8").splitlines()) if given.labels else ()
    return Asked(
        what=given.checkpoint.partition(":")[2],
        weights=given.weights,
        role=given.role,
        labels=labels,
        side=given.side,
        fit=given.fit,
        mean=given.mean,
        std=given.std,
        seed=given.seed,
        trusted=given.trust,
    )


def _three(text: str) -> tuple[float, ...]:
    values = tuple(float(value) for value in text.split(","))
    if len(values) != 3:
        raise argparse.ArgumentTypeError(f"{text}: three numbers with commas, for red, green and blue")
    return values


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    parser.add_argument("model", nargs="?", help="DOMAIN/MODEL, e.g. objects/nanodet_g_416")
    parser.add_argument("--manifest", type=Path, action="append", help="a manifest of your own that holds the model")
    targets = ["onnx", "fp16", "int8", "tensorrt"]
    parser.add_argument("--to", choices=targets, action="append", required=True, help="may be given several times")
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
    parser.add_argument("--golden", type=Path, default=GOLDEN, help="folder of videos that graphs are compared on")
    parser.add_argument("--rows", type=int, default=ROWS, help="pictures, windows of sound or texts that are compared")
    parser.add_argument("--calibration-rows", type=int, default=CALIBRATION_ROWS, help="of those int8 is fitted to")
    asked = parser.add_argument_group("checkpoints (docs/export.md)")
    asked.add_argument("--from", dest="checkpoint", default="", help=f"SOURCE:WHAT; sources are {', '.join(SOURCES)}")
    asked.add_argument("--weights", default="", help="file of the weights, or `random`")
    asked.add_argument("--role", default="", choices=["", *ROLES], metavar="DOMAIN.ROLE", help=", ".join(ROLES))
    asked.add_argument("--name", default="", help="of the model, in its manifest entry")
    asked.add_argument("--licence", default="", help="SPDX id of the weights; `unknown` is refused when it is used")
    asked.add_argument("--labels", type=Path, help="file with the network's classes, one a line")
    asked.add_argument("--side", type=int, default=0, help="pixels of its square input")
    asked.add_argument("--fit", choices=["stretch", "letterbox", "cover"], help="how a picture becomes that square")
    asked.add_argument("--mean", type=_three, default=(), help="of its input, in 0..255 units: R,G,B")
    asked.add_argument("--std", type=_three, default=(), help="of its input, in 0..255 units: R,G,B")
    asked.add_argument("--seed", type=int, default=0, help="of random weights")
    asked.add_argument("--trust", action="store_true", help="read a pickled file, which runs what is in it")
    asked.add_argument("--nms", action="store_true", help="thin out overlapping boxes in the graph of a detector")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; errors are one line."""
    try:
        run(_parser().parse_args(arguments))
    except ReelwardenError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
