"""`reelwarden serve`: the HTTP server."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Annotated

import typer

from model_zoo.errors import ReelwardenError
from serve.logs import log_json_lines
from serve.shown import shown


def serve(
    port: Annotated[int | None, typer.Option(help="TCP port; SAGEMAKER_BIND_TO_PORT wins over the setting.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen at; all of them by default.")] = None,
    domains: Annotated[str | None, typer.Option(help="Domains to load, with commas; all by default.")] = None,
    offline: Annotated[bool | None, typer.Option(help="Never fetch weights.")] = None,
) -> None:
    """Serve over HTTP: /ping, /invocations and more; see docs/http.md."""
    log_json_lines()
    from serve.settings import load_settings

    bound = os.environ.get("SAGEMAKER_BIND_TO_PORT")
    settings = load_settings(port=port or bound, host=host, domains=domains, offline=offline)
    from serve.server import run_server
    from serve.strangers import warn_of_unknown_variables

    warn_of_unknown_variables()
    raise typer.Exit(run_server(settings))


def main(arguments: list[str]) -> int:
    """Run this command without loading the others; returns what the process ends with."""
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, _end)  # until the server has handlers of its own, and for process 1, which has none
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(serve)
    try:
        app(arguments, prog_name="reelwarden serve")
    except ReelwardenError as error:
        typer.echo(f"error: {shown(str(error))}", err=True)
        return error.exit_code
    return 0


def _end(_sign: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
