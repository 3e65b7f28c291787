"""Write docs/export_parity.md from benchmarks/results/export_parity.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "export_parity.json"
PAGE = ROOT / "docs" / "export_parity.md"

HEAD = """# What export does to answers

Written by `make docs` from `benchmarks/results/export_parity.json`; measured by `make export-check`.

ONNX Runtime {onnxruntime}; {machine}; {date}. {method}.
"""
CHECKPOINTS = """## Checkpoints against their libraries, fp32

Tensors: largest and mean change against the library's own network, the largest also as a share of the tensor's largest
value. Answers: what the project's decoder makes of the exported graph against what the library's own post-processing
makes of its own network, at the same thresholds. These are not trained networks: the figures say that graph and decoder
are right, and nothing of quality.
"""
PRECISIONS = """## Precisions against fp32

What is held against the tolerance: the largest change of a final score, where a domain's decoder reads this one model
(a box that is lost or new counts from the least confidence that is reported); else the largest change of a tensor, as a
share of its largest value. INT8: so many of the heavy operators are. A precision in brackets moves further than its
manifest allows, and is not written.
"""
NOTES = """
Random networks are harder on INT8 than trained ones, for their scores rest on all channels alike: where it says
refused, not one operator bears it. How far the packaged, trained models move: [tensorrt.md](tensorrt.md).
"""


def page() -> str:
    """Return the page."""
    result = json.loads(RESULT.read_text("utf-8"))
    lines = [HEAD.format(**result["about"]), CHECKPOINTS]
    lines += [
        "| checkpoint | library | tensor | largest | mean | share | answers | lost or new | moved | corners, pixels |"
    ]
    lines += ["| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for model in result["checkpoints"]:
        lines += _checkpoint(model["model"], model["fp32"])
    lines += ["", PRECISIONS]
    lines += [
        "| model | rows | held against | fp16 moved | allowed | lost or new | INT8 moved | allowed | lost or new |"
    ]
    lines += ["| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    lines += [_precisions(model) for model in result["checkpoints"]]
    return "\n".join(lines) + "\n" + NOTES


def _checkpoint(name: str, report: dict[str, Any]) -> list[str]:
    library = report.get("library")
    answers = ("", "", "", "")
    if library:
        said = f"{library['boxes']} boxes" if library["boxes"] else f"{library['said'] // 2} scores"
        answers = said, str(library["boxes_lost_or_new"]), _number(library["scores_moved"]), _number(
            library["corners_moved"]
        )  # fmt: skip
    rows = []
    for number, change in enumerate(report["tensors"]):
        cells = [change["output"], *(_number(change[key]) for key in ("largest", "mean", "share"))]
        about, end = ((name, report["against"]), answers) if number == 0 else (("", ""), ("", "", "", ""))
        rows.append(f"| {' | '.join([*about, *cells, *end])} |")
    return rows


def _precisions(model: dict[str, Any]) -> str:
    reports = [model[precision] for precision in ("fp16", "int8")]
    known = next((report for report in reports if "gate" in report), {"rows": "", "gate": ""})
    cells = [cell for report in reports for cell in _moved(report)]
    return f"| {model['model']} | {known['rows']} | {known['gate']} | {' | '.join(cells)} |"


def _moved(report: dict[str, Any]) -> tuple[str, str, str]:
    if "failed" in report:
        return "refused", "", ""
    moved = _number(report["moved"]) if report["passed"] else f"({_number(report['moved'])})"
    boxes = f"{report['boxes_lost_or_new']} of {report['boxes']}" if report["boxes"] else ""
    if report.get("int8_operators") is not None:
        moved += f", {report['int8_operators']} of {report['heavy_operators']} operators"
    return moved, f"{report['tolerance']:g}", boxes


def _number(value: float) -> str:
    return f"{value:.2g}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
