"""The command `reelwarden`, also the ENTRYPOINT of the images. Exit codes: docs/cli.md."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
import typer.main

from model_zoo.errors import ReelwardenError
from serve.cli_analyze import analyze
from serve.cli_build import build
from serve.cli_doctor import doctor
from serve.cli_evaluate import evaluate
from serve.cli_gallery import app as gallery_app
from serve.cli_models import app as models_app
from serve.cli_policy import app as policy_app
from serve.cli_process import process
from serve.cli_review import app as review_app
from serve.cli_serve import serve
from serve.healthcheck import main as ask_health
from serve.shown import shown
from serve.version import VERSION

NO_SUCH_COMMAND = 64

app = typer.Typer(
    name="reelwarden",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Watch user-uploaded video with open models and answer in JSON.",
)
models_app.command()(build)
app.add_typer(
    models_app, name="models", help="List, fetch, verify, describe and pack model weights, and build engines of them."
)
app.add_typer(gallery_app, name="gallery", help="Build galleries of people to be named.")
app.add_typer(policy_app, name="policy", help="Check policies, and explain what they make of a report.")
app.add_typer(review_app, name="review", help="Let a person look at a report and decide.")
app.command()(analyze)
app.command()(process)
app.command()(evaluate)
app.command()(serve)
app.command()(doctor)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the report."""
    from serve.schema import report_schema

    typer.echo(json.dumps(report_schema(), indent=2, sort_keys=True))


@app.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
def healthcheck(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """End with 0 when the server of this machine answers /ping with 200."""
    raise typer.Exit(ask_health(arguments or []))  # serve/__main__.py comes first, as it need not load all this


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(VERSION)


def refuse_unknown_command(arguments: Sequence[str]) -> None:
    """End with 64 (EX_USAGE) for a command that does not exist: schedulers tell it from a wrong option."""
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    if arguments and not arguments[0].startswith("-") and arguments[0] not in known:
        typer.echo(f"error: no command {shown(arguments[0])!r}; there are {', '.join(sorted(known))}", err=True)
        sys.exit(NO_SUCH_COMMAND)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    refuse_unknown_command(sys.argv[1:])
    try:
        app()
    except ReelwardenError as error:
        typer.echo(f"error: {shown(str(error))}", err=True)
        sys.exit(error.exit_code)
