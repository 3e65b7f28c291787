"""`reelwarden gallery`: build the file of a gallery once, so that its pictures need not travel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from model_zoo.faces.gallery import text
from serve.files import FOR_OWNER, write_atomically
from serve.gallery import build
from serve.settings import load_settings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def gallery() -> None:
    """Build galleries of people to be named."""


@app.command("build")
def build_gallery(
    folder: Annotated[Path, typer.Argument(help="A folder that holds a folder NAME of pictures for each person.")],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("gallery.json"),
) -> None:
    """Embed the pictures NAME/*.jpg of known people; a picture that does not show one good face is left out."""
    made = build(folder, load_settings(), _tell)
    write_atomically(out, text(made), mode=FOR_OWNER)
    facts = made.facts()
    typer.echo(f"{out}: {facts.pictures} pictures of {facts.names} people, for {made.detector} and {made.embedder}")


def _tell(picture: Path, _place: str, reason: str) -> None:
    typer.echo(f"left out: {picture}: {reason}", err=True)
