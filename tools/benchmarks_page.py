"""Write docs/benchmarks.md from benchmarks/results/, so that no figure is ever typed by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
NOTES = ROOT / "docs" / "benchmarks_notes.md"  # what people should know when they read the figures


def page() -> str:
    """Return the page's text."""
    results = [json.loads(path.read_text("utf-8")) for path in sorted((ROOT / "benchmarks" / "results").glob("*.json"))]
    parts = [NOTES.read_text("utf-8").rstrip()]
    parts += [_section(result) for result in results if "benchmark" in result]  # others have pages of their own
    return "\n\n".join(parts) + "\n"


def _section(result: dict[str, Any]) -> str:
    machine = result["machine"]
    lines = [
        f"## {result['benchmark']}",
        result["method"].strip(),
        f"*{machine['processor']}, {machine['cores']} cores, Python {machine['python']}, commit {machine['commit']}, "
        f"{result['measured_at'][:10]}.*",
    ]
    lines += [_table(title, table) for title, table in result["tables"].items()]
    known = {"benchmark", "method", "machine", "measured_at", "tables"}
    lines += [_facts(name, value) for name, value in result.items() if name not in known]
    return "\n\n".join(lines)


def _table(title: str, table: dict[str, Any]) -> str:
    rows = [
        f"**{title}** (ratios: times faster than *{table['peer']}*)\n",
        "| | units | wall s | (fastest, slowest) | CPU s | wall ratio | CPU ratio |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for figure in table["figures"]:
        fastest, slowest = figure["wall_spread"]
        rows.append(
            f"| {figure['case']} | {figure['units']} | {figure['wall_seconds']:.2f} | {fastest:.2f}, {slowest:.2f} "
            f"| {figure['cpu_seconds']:.2f} | **{figure['wall_ratio']:.2f}** | **{figure['cpu_ratio']:.2f}** |"
        )
    return "\n".join(rows)


def _facts(name: str, value: Any) -> str:
    return f"**{name.replace('_', ' ')}**: `{json.dumps(value)}`"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
