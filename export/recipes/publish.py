"""The last step of every recipe: refuse a bad conversion, else write model, facts and licence side by side."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from export.onnx_tools import file_bytes
from model_zoo.errors import WeightsError

Tensors = Mapping[str, NDArray[Any]]
SAME_ROWS = 1e-5  # how far a row may move, relative and absolute, when it shares a batch with others


@dataclass(frozen=True, slots=True)
class Conversion:
    """Where a model comes from, what it is called here, and what its parity was measured against."""

    name: str
    domain: str
    source: str  # package==version, then the path inside the archive
    source_sha256: str
    licence: str  # SPDX id of the weights
    parity_against: str
    script: str = ""  # of a recipe that makes several models

    def recipe(self) -> str:
        """Return the path of the recipe."""
        return f"export/recipes/{self.script or self.name}.py"

    def notes(self) -> dict[str, str]:
        """Return what the ONNX file says about itself."""
        return {
            "source": self.source,
            "source_sha256": self.source_sha256,
            "licence": self.licence,
            "recipe": self.recipe(),
        }


@dataclass(frozen=True, slots=True)
class Described:
    """What goes in and comes out, by name; a file of tables has neither inputs nor an opset."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    opset: int | None = None


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Load a model from memory on the CPU."""
    return onnxruntime.InferenceSession(file_bytes(model), providers=["CPUExecutionProvider"])


def run(model: onnxruntime.InferenceSession, inputs: Tensors) -> dict[str, NDArray[Any]]:
    """Run a session and return its outputs by name."""
    names = [output.name for output in model.get_outputs()]
    return dict(zip(names, model.run(names, dict(inputs)), strict=True))


def check_batches(model: onnxruntime.InferenceSession, five_rows: Tensors) -> None:
    """Refuse a model whose rows depend on how many of them share a batch."""
    whole = run(model, five_rows)
    for start, end in [(0, 1), (1, 2), (4, 5), (0, 3), (2, 5)]:
        part = run(model, {name: rows[start:end] for name, rows in five_rows.items()})
        for name, rows in part.items():
            if not np.allclose(rows, whole[name][start:end], rtol=SAME_ROWS, atol=SAME_ROWS):
                raise WeightsError(f"output {name} of rows {start} to {end} differs from the same rows in a batch of 5")


def largest_difference(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    """Return the largest absolute difference of two tensors that must have the same shape."""
    if found.shape != wanted.shape:
        raise WeightsError(
            f"the shape is {found.shape}, the source runtime gives {wanted.shape}: check the recipe's outputs"
        )
    return float(np.abs(found.astype(np.float64) - wanted.astype(np.float64)).max())


def check_parity(name: str, difference: float, tolerance: float) -> None:
    """Refuse a conversion that strays further from its source runtime than the tolerance."""
    if not difference <= tolerance:
        raise WeightsError(
            f"{name} differs by {difference:.3g} from the source runtime, at most {tolerance:.3g} is right"
        )


def publish(conversion: Conversion, model: onnx.ModelProto, parity_max_abs: float, licence_text: str) -> None:
    """Write the model, its facts and its licence to the domain's weights folder."""
    described = Described(
        {value.name: description(value) for value in model.graph.input},
        {value.name: description(value) for value in model.graph.output},
        model.opset_import[0].version,
    )
    publish_file(conversion, f"{conversion.name}.onnx", file_bytes(model), described, parity_max_abs, licence_text)


def publish_file(
    conversion: Conversion, file: str, content: bytes, described: Described, parity_max_abs: float, licence_text: str
) -> None:
    """Write a file of weights of any kind, its facts and its licence to the domain's weights folder."""
    folder = Path("model_zoo") / conversion.domain / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    facts = {
        "recipe": conversion.recipe(),
        "source": conversion.source,
        "source_sha256": conversion.source_sha256,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "parity_against": conversion.parity_against,
        "parity_max_abs": float(f"{parity_max_abs:.2e}"),
        "inputs": described.inputs,
        "outputs": described.outputs,
        "opset": described.opset,
    }
    (folder / file).write_bytes(content)
    (folder / f"{conversion.name}.json").write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
    (folder / f"{conversion.name}.LICENSE.txt").write_text(licence_text.strip() + "\n", "utf-8")
    print(f"{file}: {len(content):,} bytes, sha256 {facts['sha256']}, parity {parity_max_abs:.2e}")


def description(value: onnx.ValueInfoProto) -> str:
    """Say element type and shape of an input or output, such as `uint8 [N, 224, 224, 3]`."""
    kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
    sizes = [str(size.dim_param or size.dim_value) for size in value.type.tensor_type.shape.dim]
    return f"{kind} [{', '.join(sizes)}]"
