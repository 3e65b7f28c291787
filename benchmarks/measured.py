"""Write measured figures down beside the models they are of, so that no figure is typed by hand.

`measured.json` beside a domain's manifest is what model cards show; the domain's README.md has the same as a table
between two marks. Every script replaces its own figures and leaves those of others alone.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ZOO = Path(__file__).resolve().parent.parent / "model_zoo"
TABLE = re.compile(r"(?<=<!-- measured -->\n).*?(?=<!-- end -->)", re.DOTALL)

Figures = dict[str, list[dict[str, Any]]]  # model -> metric, value, dataset, source


def figure(metric: str, value: float, dataset: str, *, source: str, decimals: int = 4) -> dict[str, Any]:
    """Return one figure as `measured.json` has it."""
    return {"metric": metric, "value": round(value, decimals), "dataset": dataset, "source": source}


def measured_path(domain: str) -> Path:
    """Return the file of a domain's figures."""
    return ZOO / domain / "measured.json"


def card_path(domain: str) -> Path:
    """Return a domain's card."""
    return ZOO / domain / "README.md"


def read(domain: str) -> Figures:
    """Return the figures of a domain; none where nothing was measured."""
    path = measured_path(domain)
    found: Figures = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return found


def merged(old: Figures, new: Figures, source: str) -> Figures:
    """Return figures in which those of one source are replaced, in the order of the sources."""
    kept = {model: [figure for figure in figures if figure["source"] != source] for model, figures in old.items()}
    models = dict.fromkeys([*kept, *new])
    together = {
        model: sorted(kept.get(model, []) + new.get(model, []), key=lambda figure: str(figure["source"]))
        for model in models
    }
    return {model: figures for model, figures in together.items() if figures}


def as_json(figures: Figures) -> str:
    """Return what is written to `measured.json`."""
    return json.dumps(figures, indent=1, ensure_ascii=False) + "\n"


def card(domain: str) -> str:
    """Return a domain's card with its figures as they are in `measured.json`."""
    rows = [
        f"| {model} | {figure['metric']} | {figure['dataset']} | {figure['value']:g} |"
        for model, figures in read(domain).items()
        for figure in figures
    ]
    table = "\n".join(["", "| model | metric | data | value |", "| --- | --- | --- | ---: |", *rows, "", ""])
    return TABLE.sub(lambda _: table, card_path(domain).read_text("utf-8"))


def write(domain: str, new: Figures, source: str) -> None:
    """Replace the figures of one source, in `measured.json` and in the card."""
    measured_path(domain).write_text(as_json(merged(read(domain), new, source)), "utf-8")
    card_path(domain).write_text(card(domain), "utf-8")
