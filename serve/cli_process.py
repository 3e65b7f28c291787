"""`reelwarden process`: the batch job for folders, manifests and s3:// prefixes, under any scheduler."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serve.logs import log_json_lines
from serve.process.job import run_job
from serve.process.settings import load_job_settings
from serve.process.signals import Signals
from serve.process.telling import last_line
from serve.settings import load_settings
from serve.shown import shown
from serve.strangers import warn_of_unknown_variables


def process(
    input_place: Annotated[
        str | None, typer.Option("--input", help="A folder, a file, a manifest or an s3:// prefix of media.")
    ] = None,
    output: Annotated[str | None, typer.Option(help="A folder or an s3:// prefix for the answers.")] = None,
    match: Annotated[str | None, typer.Option(help="Paths to take, e.g. '*.bin'; else what ends like media.")] = None,
    form: Annotated[str | None, typer.Option("--format", help="Further forms of the report, with commas.")] = None,
    review: Annotated[bool | None, typer.Option("--review", help="Also write the page to decide on.")] = None,
    summary: Annotated[Path | None, typer.Option(help="A file that gets the last line, too.")] = None,
    again: Annotated[bool | None, typer.Option("--again", help="Do what is finished already once more.")] = None,
    shard_index: Annotated[int | None, typer.Option(help="Which share is done here, from 0.")] = None,
    shard_count: Annotated[int | None, typer.Option(help="In how many shares the inputs are split.")] = None,
    max_failures: Annotated[int | None, typer.Option(help="So many inputs may fail; with one more it ends.")] = None,
    allow_partial: Annotated[
        bool | None, typer.Option("--allow-partial", help="End well when at least one input could be analyzed.")
    ] = None,
    in_flight: Annotated[int | None, typer.Option(help="How many inputs are worked on at once.")] = None,
    memory_bytes: Annotated[int | None, typer.Option(help="Memory for them; half of what there is by default.")] = None,
    stall_seconds: Annotated[float | None, typer.Option(help="An input without progress for so long fails.")] = None,
    load_seconds: Annotated[float | None, typer.Option(help="How long models may take to be loaded.")] = None,
    grace_seconds: Annotated[float | None, typer.Option(help="How long inputs may go on after SIGTERM.")] = None,
    config_dir: Annotated[Path | None, typer.Option(help="Where SageMaker describes a Processing job.")] = None,
    message: Annotated[Path | None, typer.Option(help="Where SageMaker reads why a job failed.")] = None,
    domains: Annotated[str | None, typer.Option(help="Domains to run, with commas; all by default.")] = None,
    interval_seconds: Annotated[float | None, typer.Option(help="How often to look at a video.")] = None,
    models: Annotated[str | None, typer.Option(help="Models for roles: DOMAIN.ROLE=NAME, with commas.")] = None,
    licences: Annotated[str | None, typer.Option(help="permissive, any, or SPDX ids with commas.")] = None,
    frame_detail: Annotated[bool | None, typer.Option(help="Put every analyzed frame into the answer.")] = None,
    gallery: Annotated[Path | None, typer.Option(help="People to be named.")] = None,
    biometrics: Annotated[bool | None, typer.Option(help="Compare faces with each other and the gallery.")] = None,
    language: Annotated[str | None, typer.Option(help="What is spoken, such as en; found out by default.")] = None,
    speakers: Annotated[bool | None, typer.Option(help="Tell the voices of a file apart.")] = None,
    beam_size: Annotated[int | None, typer.Option(help="Readings of the speech weighed at once, 1 to 10.")] = None,
    offline: Annotated[bool | None, typer.Option(help="Never fetch weights.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; all cores by default.")] = None,
    policy: Annotated[str | None, typer.Option(help="Who decides: `default`, a policy file, or `none`.")] = None,
) -> None:
    """Analyze all media of a folder, a manifest or a prefix, one NAME.json for each; run it again to go on.

    Every option can be set by REELWARDEN_PROCESS_NAME, those of the analysis by REELWARDEN_NAME. Logs are JSON lines on
    standard error; the last line of standard output is JSON and says how the job went.
    """
    log_json_lines()
    warn_of_unknown_variables()
    job = load_job_settings(
        input=input_place,
        output=output,
        match=match,
        format=form,
        review=review,
        summary=summary,
        again=again,
        shard_index=shard_index,
        shard_count=shard_count,
        max_failures=max_failures,
        allow_partial=allow_partial,
        in_flight=in_flight,
        memory_bytes=memory_bytes,
        stall_seconds=stall_seconds,
        load_seconds=load_seconds,
        grace_seconds=grace_seconds,
        config_dir=config_dir,
        message=message,
    )
    options = {
        "domains": domains,
        "interval_seconds": interval_seconds,
        "models": models,
        "licences": licences,
        "frame_detail": frame_detail,
        "gallery": gallery,
        "biometrics": biometrics,
        "language": language,
        "speakers": speakers,
        "beam_size": beam_size,
        "offline": offline,
        "threads": threads,
        "policy": policy,
    }
    with Signals() as signals:
        sums, failures = run_job(lambda: load_settings(**options), job, signals)
        typer.echo(last_line(job, sums, failures))
    if sums.error:
        typer.echo(f"error: {shown(sums.error)}", err=True)
    raise typer.Exit(sums.exit_code or 0)
