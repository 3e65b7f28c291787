"""Measure what export does to answers: checkpoints against their libraries, and every precision against fp32.

`make export-check` installs the libraries into an environment of their own, runs the tests that need them, and this;
it writes benchmarks/results/export_parity.json.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnxruntime

from benchmarks.export_checkpoints import CHECKPOINTS, Checkpoint
from export.__main__ import main as export
from export.conversion import GOLDEN, in_precision, parity, plain_of
from model_zoo.errors import WeightsError
from model_zoo.manifest import ModelSpec, domains, load

RESULT = Path(__file__).parent / "results" / "export_parity.json"
PRECISIONS = ("fp16", "int8")
AS_IT_IS = {
    "ctranslate2": "runs in CTranslate2, which brings its weights to int8 or float16 itself when it loads them",
    "8-bit": "its weights have 8 bits already",
}


def defaults() -> list[ModelSpec]:
    """Return the models that are used unless told otherwise."""
    return [spec for domain in domains() for spec in load(domain) if spec.default]


def packaged(spec: ModelSpec) -> dict[str, Any]:
    """Return how far each precision of a packaged model moves."""
    found: dict[str, Any] = {"model": f"{spec.domain}/{spec.name}"}
    if spec.format != "onnx" or spec.name.endswith("int8"):
        return found | {"as_it_is": AS_IT_IS["8-bit" if spec.format == "onnx" else spec.format]}
    plain = plain_of(spec)
    for precision in PRECISIONS:
        try:
            report = parity(spec, plain, in_precision(spec, plain, precision, GOLDEN), precision, GOLDEN)
            found[precision] = {**report.model_dump(), "passed": report.passed}
        except Exception as error:  # noqa: BLE001  a converter's failure is a result of this table
            found[precision] = {"failed": f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"}
    return found


def checkpoint(one: Checkpoint) -> dict[str, Any]:
    """Return how far a checkpoint's graph is from its library, and each precision from fp32."""
    with TemporaryDirectory(prefix="reelwarden-") as folder:
        out = Path(folder)
        arguments = [*one.make(out), "--name", one.name, "--out", folder]
        found: dict[str, Any] = {"model": one.name, "source": arguments[1].partition(":")[0]}
        for precision in ("fp32", *PRECISIONS):
            target = "onnx" if precision == "fp32" else precision
            start = time.perf_counter()
            code = export([*arguments, "--to", target])
            report = out / f"{one.name}.{precision}.parity.json"
            if code not in (0, WeightsError.exit_code) or not report.exists():
                found[precision] = {"failed": f"exit code {code}"}
                continue
            found[precision] = {**json.loads(report.read_text("utf-8")), "passed": code == 0}
            found[precision]["seconds"] = round(time.perf_counter() - start, 1)
            if code == 0:
                found[precision]["bytes"] = (out / f"{one.name}.{precision}.onnx").stat().st_size
        return found


def main(names: list[str]) -> int:
    """Check everything, or only what is named (DOMAIN/MODEL or a checkpoint) again; write the results."""
    known = json.loads(RESULT.read_text("utf-8")) if names else {"packaged": [], "checkpoints": []}
    specs = [spec for spec in defaults() if not names or f"{spec.domain}/{spec.name}" in names]
    chosen = [one for one in CHECKPOINTS if not names or one.name in names]
    fresh = {found["model"]: found for found in map(_told, [*map(packaged, specs)])}
    fresh |= {found["model"]: found for found in map(_told, map(checkpoint, chosen))}
    results = {
        key: [fresh.pop(one["model"], one) for one in known[key]] for key in ("packaged", "checkpoints")
    }  # fmt: skip
    for found in fresh.values():
        results["checkpoints" if "source" in found else "packaged"].append(found)
    about = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, no GPU",
        "onnxruntime": onnxruntime.__version__,
        "method": "everything runs on the CPU; 24 rows of tests/media, text where a network reads; INT8 is calibrated "
        "on the same; checkpoints are real architectures with random weights, scaled so that they find something",
    }
    RESULT.write_text(json.dumps({"about": about, **results}, indent=1) + "\n", "utf-8")
    print(f"wrote {RESULT}")
    broken = [found["model"] for found in results["checkpoints"] if not found["fp32"].get("passed")]
    if broken:
        print(f"not what the library says: {', '.join(broken)}", file=sys.stderr)
    return int(bool(broken))


def _told(found: dict[str, Any]) -> dict[str, Any]:
    moved = {precision: found[precision].get("moved") for precision in ("fp32", *PRECISIONS) if precision in found}
    print(found["model"], moved or found.get("as_it_is"), flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
