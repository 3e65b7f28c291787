"""`reelwarden review`: let a person look at a report, and take the decisions back into it."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from model_zoo.errors import UsageError
from model_zoo.report import Report
from serve.files import write_atomically
from serve.media import open_media
from serve.review import media_source, merged, page, read_decisions
from serve.review.a2i import human_loop_request, worker_template
from serve.review.findings import findings
from serve.review.label_studio import label_studio_config, label_studio_tasks
from serve.saved import read_report
from serve.settings import load_settings
from serve.shown import shown

app = typer.Typer(no_args_is_help=True)


class Target(StrEnum):
    """Where findings can be sent to."""

    LABEL_STUDIO = "label-studio"
    A2I = "a2i"


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
    count = len(findings(read))
    typer.echo(f"{shown(str(out))}: {count} finding{'s' if count != 1 else ''} to decide")


@app.command("apply")
def apply(
    report: Annotated[Path, typer.Argument(help="The report.json that the page was built from.")],
    decisions: Annotated[Path, typer.Argument(help="The file that the page exported.")],
    out: Annotated[Path | None, typer.Option(help="The report to write; by default the same.")] = None,
) -> None:
    """Merge a person's decisions into the report; earlier reviews in it are kept as such."""
    read = read_report(report)
    done = merged(read, read_decisions(decisions.name, read_text(decisions)))
    target = out or report
    write_atomically(target, done.model_dump_json(indent=2) + "\n")
    count = len(done.review.segments) if done.review else 0
    earlier = len(done.earlier_reviews or ())
    more = f"; {earlier} earlier review{'s' if earlier > 1 else ''} kept" if earlier else ""
    typer.echo(f"{shown(str(target))}: {count} of {len(findings(read))} findings decided{more}{_outcome(done)}")


def _outcome(report: Report) -> str:
    """Say what the last review makes of the verdict; nothing where there is none."""
    if report.review is None or report.verdict is None:
        return ""
    return f"; outcome {report.review.outcome}, the policy alone said {report.verdict.decision}"


@app.command("export")
def export(
    report: Annotated[Path, typer.Argument(help="A report.json.")],
    to: Annotated[Target, typer.Option(help="Whose people decide.")],
    media_url: Annotated[str, typer.Option(help="Where their browsers find the media, e.g. s3:// or https://.")],
    out: Annotated[Path | None, typer.Option(help="The file to write; printed by default.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="Also write Label Studio's labelling configuration, or A2I's worker template.")
    ] = None,
    flow_definition: Annotated[str | None, typer.Option(help="A2I: the ARN of the human review workflow.")] = None,
) -> None:
    """Hand the findings to another tool: as tasks of Label Studio, or as the request that starts an A2I human loop."""
    read = read_report(report)
    document: object
    if to is Target.A2I:
        if flow_definition is None:
            raise UsageError("flow-definition is missing: give the ARN of a human review workflow")
        document, shows = human_loop_request(read, media_url, flow_definition), worker_template()
    else:
        document, shows = label_studio_tasks(read, media_url), label_studio_config(read)
    if config is not None:
        write_atomically(config, shows, option="--config")
    text = json.dumps(document, indent=2, ensure_ascii=False)
    if out is None:
        typer.echo(text)
    else:
        write_atomically(out, text + "\n")


def read_text(path: Path) -> str:
    """Read a text file; raises UsageError."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"{shown(str(path))}: cannot be read ({error.strerror}); check its name") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown(str(path))}: not a text in UTF-8; give a JSON file") from error
