"""`reelwarden evaluate`: how good the answers are on media that somebody labelled."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from serve.evaluate import Figure
from serve.evaluate import evaluate as measure
from serve.files import write_atomically
from serve.settings import load_settings

DECIMALS = 4
SOURCE = "reelwarden evaluate"


def evaluate(
    folder: Annotated[Path, typer.Argument(help="A folder of labelled folders: speech, faces, objects ...")],
    out: Annotated[Path | None, typer.Option(help="Write the figures to this file, as model cards read them.")] = None,
    models: Annotated[str | None, typer.Option(help="Models for roles: DOMAIN.ROLE=NAME, with commas.")] = None,
    licences: Annotated[str | None, typer.Option(help="permissive, any, or SPDX ids with commas.")] = None,
    interval_seconds: Annotated[float | None, typer.Option(help="How often to look at a video.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; all cores by default.")] = None,
) -> None:
    """Measure quality on labelled media; docs/evaluate.md says how the folder is laid out."""
    settings = load_settings(models=models, licences=licences, interval_seconds=interval_seconds, threads=threads)
    found = measure(folder, settings)
    table = Table("domain", "model", "metric", "value", "data", title_justify="left")
    for task, figure in found:
        table.add_row(task.domain, figure.model, figure.metric, f"{figure.value:.{DECIMALS}f}", figure.dataset)
    Console().print(table)
    if out:
        write_atomically(out, json.dumps(by_model((figure for _, figure in found), SOURCE), indent=1) + "\n")


def by_model(figures: Iterable[Figure], source: str) -> dict[str, list[dict[str, object]]]:
    """Return figures as `measured.json` has them: by model, with how they were measured."""
    measured: dict[str, list[dict[str, object]]] = defaultdict(list)
    for figure in figures:
        value = round(figure.value, DECIMALS)
        measured[figure.model].append(
            {"metric": figure.metric, "value": value, "dataset": figure.dataset, "source": source}
        )
    return dict(measured)
