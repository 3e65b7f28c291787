"""`reelwarden doctor`: what works on this machine, and what to do about what does not."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from serve.settings import load_settings

FAILED = 1
_SIGNS = {"works": "✓", "absent": "-", "hinders": "!", "fails": "✗"}


def doctor(
    domains: Annotated[str | None, typer.Option(help="Domains whose models to look for; all by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Look at GPU, driver, libraries, memory, disks and model files; end with 1 where something will not run."""
    from serve.doctor import examine  # it loads every library that it looks at

    checks = examine(load_settings(domains=domains))
    if as_json:
        typer.echo(json.dumps({"checks": [asdict(check) for check in checks]}, indent=2))
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            typer.echo(f"{_SIGNS[check.status]} {check.name:{width}}  {check.says}")
            if check.fix:
                typer.echo(f"  {'':{width}}  fix: {check.fix}")
    if any(check.status == "fails" for check in checks):
        raise typer.Exit(FAILED)
