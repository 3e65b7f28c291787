"""`reelwarden analyze`: files and folders in, a table for people and a report.json for programs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from model_zoo.domains import DOMAINS
from model_zoo.errors import MediaError, UsageError
from model_zoo.report import Report
from model_zoo.verdict import Decision
from serve.album import Album
from serve.files import check_writable, write_atomically
from serve.formats import Form, check_domains
from serve.formats.files import forms_named, write_forms
from serve.media import find_media, open_media
from serve.package import check_replaceable, write_package
from serve.pipeline import Analyzer
from serve.policy import find_policy
from serve.review import media_source, page
from serve.settings import Settings, load_settings
from serve.shown import shown
from serve.strangers import warn_of_unknown_variables
from serve.table import findings_table, summary_line, verdict_line

FAILED = 1
CAUGHT = 4  # by --fail-on
INTERRUPTED = 130  # 128 + SIGINT, as shells count


class Gate(StrEnum):
    """From which decision on the command fails."""

    BLOCK = "block"
    REVIEW = "review"


GATES: dict[Gate, tuple[Decision, ...]] = {Gate.BLOCK: ("block",), Gate.REVIEW: ("review", "block")}


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What is written and shown of every report."""

    forms: Sequence[Form]
    review: bool
    package: bool
    json_lines: bool


@dataclass(slots=True)
class _Sums:
    """What became of all files together."""

    failures: list[MediaError] = field(default_factory=list)  # files that could not be used
    domain_failed: bool = False  # in a file whose other results are kept
    decisions: set[Decision] = field(default_factory=set)


def analyze(
    paths: Annotated[
        list[Path], typer.Argument(help="Video, image or audio files, or folders of them.", readable=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder for the reports.")] = Path("out"),
    domains: Annotated[str | None, typer.Option(help="Domains to run, with commas; all by default.")] = None,
    interval_seconds: Annotated[float | None, typer.Option(help="How often to look at a video.")] = None,
    models: Annotated[str | None, typer.Option(help="Models for roles: DOMAIN.ROLE=NAME, with commas.")] = None,
    licences: Annotated[str | None, typer.Option(help="permissive, any, or SPDX ids with commas.")] = None,
    frame_detail: Annotated[bool | None, typer.Option(help="Put every analyzed frame into the report.")] = None,
    gallery: Annotated[
        Path | None, typer.Option(help="People to be named: a folder of NAME/*.jpg, or a built gallery.")
    ] = None,
    biometrics: Annotated[bool | None, typer.Option(help="Compare faces with each other and the gallery.")] = None,
    language: Annotated[str | None, typer.Option(help="What is spoken, such as en; found out by default.")] = None,
    speakers: Annotated[bool | None, typer.Option(help="Tell the voices of a file apart.")] = None,
    beam_size: Annotated[int | None, typer.Option(help="Readings of the speech weighed at once, 1 to 10.")] = None,
    offline: Annotated[bool | None, typer.Option(help="Never fetch weights.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; all cores by default.")] = None,
    policy: Annotated[
        str | None, typer.Option(help="Who decides: `default`, a policy file of your own, or `none`.")
    ] = None,
    fail_on: Annotated[
        Gate | None, typer.Option(help="End with exit code 4 when a verdict is this severe, or severer.")
    ] = None,
    formats: Annotated[
        list[str] | None, typer.Option("--format", help="Further forms of the report, beside it; see docs/formats.md.")
    ] = None,
    review: Annotated[bool, typer.Option("--review", help="Also write the page on which a person decides.")] = False,
    package: Annotated[
        Path | None, typer.Option(help="Write packages here instead of reports: report, transcript, pictures, page.")
    ] = None,
    json_lines: Annotated[bool, typer.Option("--json", help="Print one report a line instead of tables.")] = False,
) -> None:
    """Analyze media and write a report for each.

    A single file gives OUT/report.json; a folder, or several files, give OUT/NAME/report.json, NAME being the path
    below the folder. Every --format gives a file more beside the report, such as OUT/report.srt, --review
    adds OUT/review.html. With --package, PACKAGE or PACKAGE/NAME holds all that is to be kept.
    """
    warn_of_unknown_variables()
    settings = load_settings(
        domains=domains,
        interval_seconds=interval_seconds,
        models=models,
        licences=licences,
        frame_detail=frame_detail,
        gallery=gallery,
        biometrics=biometrics,
        language=language,
        speakers=speakers,
        beam_size=beam_size,
        offline=offline,
        threads=threads,
        policy=policy,
    )
    wanted_domains = settings.domains or tuple(domain.name for domain in DOMAINS)
    if fail_on:
        _check_gate(fail_on, settings, wanted_domains)
    forms = forms_named(formats or ())
    for form in forms:
        check_domains(form, wanted_domains)
    people = Console(stderr=json_lines, highlight=False)
    sums = _Sums()
    inputs = _inputs(paths, package or out, sums.failures)
    wishes = _Wishes(forms, review, package is not None, json_lines)
    try:
        if inputs:
            check_writable(package.parent if package else out, "--package" if package else "--out")
            for place in inputs.values() if package else ():
                check_replaceable(place.parent)
            _analyze_all(inputs, wishes, settings, people, sums)
    except KeyboardInterrupt:
        typer.echo("interrupted: the reports of finished files are kept", err=True)
        raise typer.Exit(INTERRUPTED) from None
    for failure in sums.failures:
        typer.echo(f"error: {shown(str(failure))}", err=True)
    if fail_on and sums.decisions & set(GATES[fail_on]):
        raise typer.Exit(CAUGHT)
    if sums.failures or sums.domain_failed:
        raise typer.Exit(FAILED)


def _check_gate(fail_on: Gate, settings: Settings, domains: Sequence[str]) -> None:
    """Raise UsageError where no report can get a verdict, so that a gate never stands open by mistake."""
    policy = find_policy(settings)
    if policy is None:
        raise UsageError(f"fail-on={fail_on.value}: without a policy there is no verdict; leave out --policy none")
    if not policy.speaks_of(domains):
        raise UsageError(
            f"fail-on={fail_on.value}: the policy {policy.policy.name} speaks of {', '.join(policy.policy.domains)}; "
            "add one of these domains, or name a policy of your own by --policy"
        )


def _analyze_all(
    inputs: dict[Path, Path],
    wishes: _Wishes,
    settings: Settings,
    people: Console,
    sums: _Sums,
) -> None:
    """Analyze file after file with the same loaded models; adds to `sums`."""
    with Analyzer(settings) as analyzer:
        for item, place in inputs.items():
            album = Album() if wishes.review or wishes.package else None
            try:
                report = _analyze_one(analyzer, item, people, album)
                _write(report, item, place, wishes, settings, album)
            except MediaError as error:
                sums.failures.append(error)
                continue
            sums.domain_failed |= any(error.domain for error in report.errors)
            if report.verdict:
                sums.decisions.add(report.verdict.decision)
            _show(report, place, people, wishes.json_lines)


def _write(report: Report, item: Path, place: Path, wishes: _Wishes, settings: Settings, album: Album | None) -> None:
    """Write what is wanted of one report, `place` being the report's own file."""
    if wishes.package:
        media = open_media(item, settings.limits())
        left_out = write_package(place.parent, report, media, album, wishes.forms)
    else:
        left_out = write_forms(report, place, wishes.forms)
    for error in left_out:
        typer.echo(f"left out: {shown(str(error))}", err=True)
    if wishes.review and not wishes.package:
        source = media_source(report, open_media(item, settings.limits()), place.parent, album=album)
        write_atomically(place.with_name("review.html"), page(report, source))


def _inputs(paths: Sequence[Path], out: Path, failures: list[MediaError]) -> dict[Path, Path]:
    """Return media file -> report file; what cannot be found is added to `failures`."""
    names: list[tuple[Path, Path]] = []
    for path in paths:
        try:
            found = find_media([path])
        except MediaError as error:
            failures.append(error)
            continue
        names += [(item, item.relative_to(path) if path.is_dir() else Path(item.name)) for item in found]
    if len(paths) == len(names) == 1 and names[0][0] == paths[0]:
        return {paths[0]: out / "report.json"}
    places: dict[Path, Path] = {}
    for item, name in names:
        place = out / name / "report.json"
        if place in places.values() and item not in places:
            raise UsageError(
                f"{item}: its report {place} would overwrite another's; analyze it by itself with its own --out"
            )
        places[item] = place
    return places


def _analyze_one(analyzer: Analyzer, item: Path, people: Console, album: Album | None) -> Report:
    """Analyze one file behind a progress bar."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]:.0f} frames/s"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=people, transient=True) as progress:
        task = progress.add_task(shown(item.name), total=None, rate=0.0)
        start = perf_counter()

        def show(seconds: float, total_seconds: float | None, frames: int) -> None:
            rate = frames / (perf_counter() - start)
            progress.update(task, completed=seconds, total=total_seconds, rate=rate)

        return analyzer.analyze(item, show, album=album)


def _show(report: Report, place: Path, people: Console, json_lines: bool) -> None:
    if json_lines:
        typer.echo(report.model_dump_json())
        return
    people.print(findings_table(report))
    if report.verdict:
        people.print(verdict_line(report.verdict))
    people.print(summary_line(report, place))
