"""Write docs/tensorrt.md from benchmarks/results/tensorrt_rtx.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "tensorrt_rtx.json"
SUPPORT_MATRIX = "https://docs.nvidia.com/deeplearning/tensorrt-rtx/latest/getting-started/support-matrix.html"
PAGE = ROOT / "docs" / "tensorrt.md"

HEAD = """# TensorRT and precisions

Written by `make docs` from `benchmarks/results/tensorrt_rtx.json`; measured by `make tensorrt-check`.

Every default model that sees or hears is simplified, brought into each precision and built for the GPUs of g4dn (sm 75)
and g5 (sm 86), by `python -m export`'s code. The library is TensorRT-RTX, which needs no GPU to build. What this proves
is that parser and builder take the files; **no engine has run**. For serving, TensorRT itself is to build the engines.

{library}; ONNX Runtime {onnxruntime}; {machine}; {date}. {method}.
"""

NOTES = """
A precision in brackets is not written: it moves further than the manifest allows. Boxes are those that are lost or
new, of all. Convolutions, matrix products and recurrent cells are heavy; where few of them are in INT8, it gains little
over fp16. `whisper_base` runs in CTranslate2, which brings its weights to int8 or float16 itself.
"""


def page() -> str:
    """Return the page."""
    result = json.loads(RESULT.read_text("utf-8"))
    lines = [HEAD.format(**result["about"])]
    lines += ["## Engines: seconds to build, megabytes", ""]
    lines += ["| model | fp32, sm 75 | fp32, sm 86 | fp16, sm 75 | fp16, sm 86 | INT8, sm 75 | INT8, sm 86 |"]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for model in result["models"]:
        cells = [
            _engine(model[precision]["engines"][sm])
            for precision in ("fp32", "fp16", "int8")
            for sm in ("sm75", "sm86")
        ]
        lines.append(f"| {model['model']} | {' | '.join(cells)} |")
    lines += ["", *_refusals(result), ""]
    lines += ["## What a precision does to the answers", ""]
    lines += ["| model | rows | held against | fp16 moved | allowed | INT8 moved | allowed | heavy operators in INT8 |"]
    lines += ["| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |"]
    for model in result["models"]:
        fp16, int8 = model["fp16"]["parity"], model["int8"]["parity"]
        cells = [cell for one in (fp16, int8) for cell in (_moved(one), f"{one['tolerance']:g}")]
        cells.append(f"{int8['int8_operators']} of {int8['heavy_operators']}")
        lines.append(f"| {model['model']} | {fp16['rows']} | {fp16['gate']} | {' | '.join(cells)} |")
    return "\n".join([*lines, NOTES])


def _engine(engine: dict[str, Any]) -> str:
    return "refused" if "refused" in engine else f"{engine['seconds']:g} s, {engine['bytes'] / 1e6:.1f}"


def _moved(parity: dict[str, Any]) -> str:
    moved = f"{parity['moved']:.2g}" if parity["passed"] else f"({parity['moved']:.2g})"
    return moved + (f"; {parity['boxes_lost_or_new']} of {parity['boxes']} boxes" if parity["boxes"] else "")


def _refusals(result: dict[str, Any]) -> list[str]:
    """Say why engines were refused, each reason once."""
    told = [
        engine["refused"]
        for model in result["models"]
        for precision in ("fp32", "fp16", "int8")
        for engine in model[precision]["engines"].values()
        if "refused" in engine
    ]
    turing = [reason for reason in told if "FP32 GEMM is not supported" in reason]
    lines = []
    if turing:
        lines.append(
            f"{len(turing)} builds are refused because TensorRT-RTX has no fp32 matrix product for Turing (sm 75), as "
            f"its [support matrix]({SUPPORT_MATRIX}) says; that is no fault of the files, which all build in fp16 "
            "there. TensorRT itself has one."
        )
    return lines + [f"Refused: {reason}" for reason in sorted(set(told) - set(turing))]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
