"""Prove every default model TensorRT-clean without a GPU, and measure what each precision does to its answers.

Builds an engine for every default model, for the compute capabilities of T4 and A10G, in fp32, fp16 and INT8, with
TensorRT-RTX; writes benchmarks/results/tensorrt_rtx.json. `make tensorrt-check` installs the library and runs this.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import onnxruntime

from benchmarks.media_sets import RICH_MEDIA
from export.conversion import GOLDEN, find_spec, in_precision, parity
from export.precisions import simplified
from export.weights import weights_of
from model_zoo.engines.build import Aim, build, library
from model_zoo.errors import ReelwardenError
from model_zoo.manifest import ModelSpec, domains, load
from model_zoo.precisions import Precision
from serve.backends.place import Source
from serve.engines import compiled

RESULT = Path(__file__).parent / "results" / "tensorrt_rtx.json"
CAPABILITIES = (75, 86)
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")


def default_models() -> list[ModelSpec]:
    """Return the models that are used unless told otherwise and see or hear."""
    return [spec for spec in _defaults() if spec.text is None]


def _defaults() -> list[ModelSpec]:
    """Return all of them but the one that is no ONNX file, Whisper's."""
    return [spec for domain in domains() for spec in load(domain) if spec.default and spec.format == "onnx"]


def check(spec: ModelSpec) -> dict[str, Any]:
    """Return what happens to one model in every precision."""
    plain = simplified(weights_of(spec))
    found: dict[str, Any] = {"model": f"{spec.domain}/{spec.name}"}
    for precision in PRECISIONS:
        model = in_precision(spec, plain, precision, calibration(spec))
        content = served(spec, model, precision)
        engines = {}
        for sm in CAPABILITIES:
            try:
                engine = build(content, spec, Aim(sm))
                engines[f"sm{sm}"] = {"seconds": round(engine.seconds, 1), "bytes": len(engine.plan)}
            except ReelwardenError as error:
                engines[f"sm{sm}"] = {"refused": str(error).split(": ", 1)[-1][:300]}
        found[precision] = {"engines": engines}
        if precision != "fp32":
            report = parity(spec, plain, model, precision, GOLDEN)
            found[precision]["parity"] = {**report.model_dump(), "passed": report.passed}
        print(spec.name, precision, engines, found[precision].get("parity", {}).get("moved"), flush=True)
    return found


def calibration(spec: ModelSpec) -> Path:
    """Return a folder of other clips than those that are compared, if there is one; of texts there is none."""
    return RICH_MEDIA if RICH_MEDIA.is_dir() and spec.text is None else GOLDEN


def served(spec: ModelSpec, model: onnx.ModelProto, precision: Precision) -> bytes:
    """Return the file as serving compiles it: with the front that takes pictures."""
    with TemporaryDirectory(prefix="reelwarden-") as folder:
        path = Path(folder, "model.onnx")
        onnx.save(model, path)
        return compiled(spec, Source(path, precision, ""))


def _clean(fp16: dict[str, Any]) -> bool:
    """Say whether all engines were built; how far the answers move is what export's gate is for."""
    return all("refused" not in engine for engine in fp16["engines"].values())


def main(names: list[str]) -> int:
    """Check all defaults, or only the named models (DOMAIN/MODEL) again; write the results."""
    trt = library("tensorrt_rtx")
    specs = [find_spec(name) for name in names] or _defaults()
    known = json.loads(RESULT.read_text("utf-8"))["models"] if names else []
    fresh = {found["model"]: found for found in (check(spec) for spec in specs)}
    results = [fresh.pop(found["model"], found) for found in known] + list(fresh.values())
    about = {
        "date": time.strftime("%Y-%m-%d"),
        "library": f"{trt.__name__} {trt.__version__}",
        "onnxruntime": onnxruntime.__version__,
        "machine": f"{platform.machine()}, Python {platform.python_version()}, no GPU",
        "method": "engines are built ahead of time for a GPU that is not there, and have not run; "
        "parity is measured with ONNX Runtime on the CPU, on tests/media; INT8 is fitted to "
        + ("other clips, and of texts to the same" if RICH_MEDIA.is_dir() else "the same"),
    }
    RESULT.write_text(json.dumps({"about": about, "models": results}, indent=1) + "\n", "utf-8")
    print(f"wrote {RESULT}")
    broken = [found["model"] for found in results if not _clean(found["fp16"])]
    if broken:
        print(f"not TensorRT-clean in fp16: {', '.join(broken)}", file=sys.stderr)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
