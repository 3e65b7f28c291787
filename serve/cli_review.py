"""`reelwarden review`: let a person look at a report, and take the decisions back into it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from model_zoo.errors import UsageError
from serve.files import write_atomically
from serve.media import open_media
from serve.review import media_source, merged, page, read_decisions
from serve.review.findings import findings
from serve.saved import read_report
from serve.settings import load_settings
from serve.shown import shown

app = typer.Typer(no_args_is_help=True)


@app.callback()
def review() -> None:
    """Let a person look at a report and decide."""


@app.command("build")
def build(
    report: Annotated[Path, typer.Argument(help="A report.json.")],
    video: Annotated[Path, typer.Argument(help="The file that the report speaks of.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("review.html"),
    embed: Annotated[bool, typer.Option("--embed", help="Put the video into the page, up to 64 MB.")] = False,
) -> None:
    """Write the review page: one HTML file that opens from disk without a network."""
    read = read_report(report)
    media = open_media(video, load_settings().limits())
    write_atomically(out, page(read, media_source(read, media, out.parent, embed=embed)))
    typer.echo(f"{shown(str(out))}: {len(findings(read))} findings to decide")


@app.command("apply")
def apply(
    report: Annotated[Path, typer.Argument(help="The report.json that the page was built from.")],
    decisions: Annotated[Path, typer.Argument(help="The file that the page exported.")],
    out: Annotated[Path | None, typer.Option(help="The report to write; by default the same.")] = None,
) -> None:
    """Merge a person's decisions into the report; an earlier review in it is replaced."""
    read = read_report(report)
    done = merged(read, read_decisions(decisions.name, read_text(decisions)))
    target = out or report
    write_atomically(target, done.model_dump_json(indent=2) + "\n")
    count = len(done.review.segments) if done.review else 0
    typer.echo(f"{shown(str(target))}: {count} of {len(findings(read))} findings decided")


def read_text(path: Path) -> str:
    """Read a text file; raises UsageError."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"{shown(str(path))}: cannot be read ({error.strerror}); check its name") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown(str(path))}: not a text in UTF-8; give a JSON file") from error
