"""`reelwarden models`: list, pull, verify, card, pack. Data goes to stdout, everything for people to stderr."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from model_zoo.cards import card as model_card
from model_zoo.catalog import catalog, named
from model_zoo.domains import check_fits
from model_zoo.errors import MisfitError, UsageError, WeightsError
from model_zoo.licences import accepts_licence, check_licence
from model_zoo.manifest import ModelSpec
from model_zoo.packing import pack as pack_weights
from model_zoo.weights import WeightPlaces, ensure_all, locate
from model_zoo.weights import verify as verify_weights
from serve.settings import Settings, load_settings

_PIPED_COLUMNS = 200  # of a table that is no terminal's: nothing is broken into lines
app = typer.Typer(no_args_is_help=True)

Names = Annotated[
    list[str] | None, typer.Argument(help="Models by name; all defaults without any.", show_default=False)
]
OfDomain = Annotated[str | None, typer.Option("--domain", help="The defaults of this domain only.")]


@app.command("list")
def list_models(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List every model: what it is for, its licence, its size, and whether it is here."""
    settings = load_settings()
    specs = catalog(settings.manifests)
    if as_json:
        typer.echo(json.dumps([_facts(spec, settings) for spec in specs], indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for title in ("", "model", "domain.role", "licence", "MB", "weights"):
        table.add_column(title, overflow="fold")
    for spec in specs:
        if not accepts_licence(spec, settings.licences):
            state = "refused"
        else:
            state = "here" if locate(spec, _places(settings)) else "missing"
        mark = "*" if spec.default else ""
        size = f"{spec.total_bytes / 1e6:.1f}"
        table.add_row(mark, spec.name, f"{spec.domain}.{spec.role}", spec.licence.weights, size, state)
    console = Console()
    console.width = console.width if console.is_terminal else max(console.width, _PIPED_COLUMNS)
    console.print(table)
    typer.echo("* fills its role by default", err=True)


@app.command()
def pull(names: Names = None, domain: OfDomain = None) -> None:
    """Fetch weights that are not here yet; without names, the defaults."""
    settings = load_settings()
    specs = wanted_models(names or [], domain, settings)
    places = _places(settings)
    here = {spec.name for spec in specs if locate(spec, places)}
    paths = ensure_shown(specs, places)
    for spec in specs:
        typer.echo(f"{spec.name}: {'present' if spec.name in here else 'fetched'} {paths[spec.name]}")


@app.command()
def verify(names: Names = None) -> None:
    """Hash weights again, and check that their domains can use them; without names, every model that is here.

    Wrong or missing files, and models that cannot fill their role, end with exit code 3.
    """
    settings = load_settings()
    specs = catalog(settings.manifests)
    wrong = []
    for spec in named(names, specs) if names else specs:
        try:
            check_fits(spec)
            path = verify_weights(spec, _places(settings))
        except (WeightsError, MisfitError) as error:
            typer.echo(f"{spec.name}: WRONG")
            wrong.append(str(error))
            continue
        if path:
            typer.echo(f"{spec.name}: ok {path}")
        elif names:
            typer.echo(f"{spec.name}: MISSING")
            wrong.append(_missing(spec))
    if wrong:
        raise WeightsError("; and ".join(wrong))


@app.command()
def card(name: Annotated[str, typer.Argument(help="A model by name.")]) -> None:
    """Print the model card: source, licence, input, quality, coverage."""
    (spec,) = named([name], catalog(load_settings().manifests))
    typer.echo(model_card(spec), nl=False)


@app.command()
def pack(
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("model.tar.gz"),
    names: Names = None,
    domain: OfDomain = None,
) -> None:
    """Write weights and licence texts to a model.tar.gz, for SageMaker or for a machine without a network."""
    settings = load_settings()
    specs = wanted_models(names or [], domain, settings)
    pack_weights(specs, ensure_shown(specs, _places(settings)), out)
    typer.echo(f"{out}: {', '.join(spec.name for spec in specs)} ({out.stat().st_size / 1e6:.1f} MB)")


def wanted_models(names: Sequence[str], domain: str | None, settings: Settings) -> tuple[ModelSpec, ...]:
    """Return the named models, or the defaults, of one domain where it is given, that the licence gate accepts."""
    specs = catalog(settings.manifests)
    if names:
        for spec in (wanted := named(names, specs)):
            check_licence(spec, settings.licences)
        return wanted
    defaults = [spec for spec in specs if spec.default and domain in {None, spec.domain}]
    if not defaults:
        known = ", ".join(sorted({spec.domain for spec in specs}))
        raise UsageError(f"domain {domain!r} has no default models; domains with models are {known}")
    for spec in defaults:
        if not accepts_licence(spec, settings.licences):
            typer.echo(f"{spec.name} is left out: REELWARDEN_LICENCES={settings.licences}", err=True)
    return tuple(spec for spec in defaults if accepts_licence(spec, settings.licences))


def ensure_shown(specs: Sequence[ModelSpec], places: WeightPlaces) -> dict[str, Path]:
    """Return the weights of models; what is fetched is shown on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def show(name: str, done_bytes: int, total_bytes: int) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name)
            progress.update(tasks[name], completed=done_bytes, total=total_bytes or None)

        return ensure_all(specs, places, show)


def _missing(spec: ModelSpec) -> str:
    """Return what to do about a model whose files are not here; what is no file of this machine can be pulled."""
    parts = [part for file in spec.files for source in file.sources for part in source]
    if all(part.scheme == "file" for part in parts):
        wanted = ", ".join(dict.fromkeys(str(spec.manifest.parent / part.where) for part in parts))
        return f"{spec.name} is missing; put its files where its sources say: {wanted}"
    return f"{spec.name} is missing; run `reelwarden models pull {spec.name}`"


def _places(settings: Settings) -> WeightPlaces:
    return settings.weight_places()


def _facts(spec: ModelSpec, settings: Settings) -> dict[str, object]:
    path = locate(spec, _places(settings))
    return {
        "name": spec.name,
        "domain": spec.domain,
        "role": spec.role,
        "default": spec.default,
        "title": spec.title,
        "licence": spec.licence.weights,
        "accepted": accepts_licence(spec, settings.licences),
        "size_bytes": spec.total_bytes,
        "sha256": spec.sha256,
        "present": path is not None,
        "path": None if path is None else str(path),
    }
