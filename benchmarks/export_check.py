"""Measure what export does to checkpoints: against their libraries, and in every precision against fp32.

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
from model_zoo.errors import WeightsError

RESULT = Path(__file__).parent / "results" / "export_parity.json"
PRECISIONS = ("fp16", "int8")


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
    """Check all checkpoints, or only those that are named again; write the results."""
    known = json.loads(RESULT.read_text("utf-8"))["checkpoints"] if names else []
    chosen = [one for one in CHECKPOINTS if not names or one.name in names]
    fresh = {found["model"]: found for found in map(_told, map(checkpoint, chosen))}
    results = [fresh.pop(found["model"], found) for found in known] + list(fresh.values())
    about = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, no GPU",
        "onnxruntime": onnxruntime.__version__,
        "method": "everything runs on the CPU; 24 rows of tests/media, text where a network reads; INT8 is fitted to "
        "the same and more; checkpoints are real architectures with random weights, scaled so that they find something",
    }
    RESULT.write_text(json.dumps({"about": about, "checkpoints": results}, indent=1) + "\n", "utf-8")
    print(f"wrote {RESULT}")
    broken = [found["model"] for found in results if not found["fp32"].get("passed")]
    if broken:
        print(f"not what the library says: {', '.join(broken)}", file=sys.stderr)
    return int(bool(broken))


def _told(found: dict[str, Any]) -> dict[str, Any]:
    moved = {precision: found[precision].get("moved") for precision in ("fp32", *PRECISIONS) if precision in found}
    print(found["model"], moved, flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
