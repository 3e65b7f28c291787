"""TensorFlow.js models: read their weights, and run them in TensorFlow.js itself as the yardstick of a conversion."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.packages import cache_folder, fetch
from model_zoo.errors import WeightsError

VERSION = "4.22.0"
RUNTIME = f"@tensorflow/tfjs@{VERSION} (wasm)"


@dataclass(frozen=True, slots=True)
class StoredWeight:
    """A weight as it lies in the file: values, or codes that stand for `codes * scale + least`."""

    codes: NDArray[Any]
    scale: float = 1.0
    least: float = 0.0

    def values(self) -> NDArray[np.float32]:
        """Return the weight as float32, as TensorFlow.js computes with it."""
        return (self.codes.astype(np.float64) * self.scale + self.least).astype(np.float32)

    def zero(self) -> float:
        """Return the code that stands for 0.0; a whole number wherever the weights have both signs."""
        return round(-self.least / self.scale, 6)


def read_weights(model: Mapping[str, Any], content: bytes) -> dict[str, StoredWeight]:
    """Cut the weight file into named tensors, as the model's manifest says."""
    weights: dict[str, StoredWeight] = {}
    offset = 0
    for entry in (entry for group in model["weightsManifest"] for entry in group["weights"]):
        coding = entry.get("quantization", {})
        kind = np.dtype(coding.get("dtype", entry["dtype"])).newbyteorder("<")
        count = int(np.prod(entry["shape"], dtype=np.int64))
        codes = np.frombuffer(content, kind, count, offset).reshape(entry["shape"])
        weights[entry["name"]] = StoredWeight(codes, coding.get("scale", 1.0), coding.get("min", 0.0))
        offset += count * kind.itemsize
    if offset != len(content):
        raise WeightsError(f"the weight manifest covers {offset} of {len(content)} bytes; fetch the package again")
    return weights


def run_tfjs(
    kind: str, model: Mapping[str, Any], weights: bytes, rows: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    """Run a `graph` or `layers` model on one tensor and return its outputs by name."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder)
        (answer / "weights.raw").write_bytes(weights)
        (answer / "input.raw").write_bytes(np.ascontiguousarray(rows, "<f4").tobytes())
        request = {
            "modules": str(installed_runtime()),
            "kind": kind,
            "model": dict(model),
            "weights": str(answer / "weights.raw"),
            "input": str(answer / "input.raw"),
            "shape": list(rows.shape),
            "answer": folder,
        }
        (answer / "request.json").write_text(json.dumps(request), "utf-8")
        script = Path(__file__).with_name("tfjs_run.js")
        subprocess.run(["node", str(script), str(answer / "request.json")], check=True, stderr=subprocess.DEVNULL)
        outputs = json.loads((answer / "outputs.json").read_text("utf-8"))
        return {
            name: np.fromfile(answer / output["file"], "<f4").reshape(output["shape"])
            for name, output in outputs.items()
        }


def installed_runtime() -> Path:
    """Install the pinned TensorFlow.js beside the cached packages, once, without running install scripts."""
    folder = cache_folder() / f"tfjs-{VERSION}"
    if not (folder / "node_modules" / "@tensorflow" / "tfjs-backend-wasm").exists():
        folder.mkdir(exist_ok=True)
        packages = [f"@tensorflow/{name}@{VERSION}" for name in ("tfjs", "tfjs-backend-wasm")]
        quiet = ["--silent", "--ignore-scripts", "--no-audit", "--no-fund"]
        fetch(["npm", "install", *quiet, "--prefix", str(folder), *packages])
    return folder
