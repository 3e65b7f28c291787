"""A report as a table for the terminal."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from model_zoo.report import Report, Segment
from model_zoo.verdict import Decision, Reason, Verdict
from serve.shown import shown

MOST_TIMES = 3  # spans of one finding that are written out
COLOURS: dict[Decision, str] = {"allow": "green", "review": "yellow", "block": "red"}
MOST_ROWS = 6  # findings of one domain that are written out; the report has all


def findings_table(report: Report) -> Table:
    """Return one row per finding of each domain: when it was seen, and how surely."""
    title = escape(shown(report.media.name))
    table = Table("domain", "finding", "when (seconds)", "confidence", title=title, title_justify="left")
    for name, part in report.domains.items():
        rows: dict[tuple[str, str], list[Segment]] = defaultdict(list)
        for segment in part.segments:
            rows[segment.label, segment.status].append(segment)
        for (label, status), segments in sorted(rows.items(), key=_by_screen_time)[:MOST_ROWS]:
            finding = escape(shown(label)) + (" [dim](hint)[/dim]" if status == "hint" else "")
            table.add_row(name, finding, _times(segments), f"{max(s.peak_confidence for s in segments):.2f}")
        if len(rows) > MOST_ROWS:
            table.add_row(name, f"[dim]and {len(rows) - MOST_ROWS} more[/dim]", "", "")
        if not part.segments:
            table.add_row(name, "[dim]nothing found[/dim]", "", "")
    for error in report.errors:
        table.add_row(error.domain or "", f"[red]failed: {escape(error.message)}[/red]", "", "")
    return table


def summary_line(report: Report, place: Path) -> str:
    """Return where the report is, how frames were obtained and how long it took."""
    decode = report.decode
    line = (
        f"{decode.frames_analyzed} frames analyzed, {decode.frames_decoded} decoded ({decode.strategy}) "
        f"in {report.run.wall_seconds:.1f} s -> {escape(shown(str(place)))}"
    )
    if report.sound and report.sound.heard_seconds:
        line = f"{report.sound.heard_seconds:.1f} s of sound heard, {line}"
    if decode.truncated:
        line += f"\n[yellow]not everything could be used: {escape(str(decode.truncated_reason))}[/yellow]"
    if report.sound and report.sound.truncated:
        line += f"\n[yellow]the sound broke off: {escape(str(report.sound.truncated_reason))}[/yellow]"
    if report.media.unseen_streams:
        line += f"\n[dim]not looked at: {escape(shown('; '.join(report.media.unseen_streams)))}[/]"
    return line


def verdict_line(verdict: Verdict) -> str:
    """Return what the policy decided, and the severest reasons."""
    line = f"[{COLOURS[verdict.decision]}]{verdict.decision}[/] by the policy {escape(shown(verdict.policy))}"
    reasons = [
        f"{escape(shown(reason.label))} {_where(reason)} ({reason.confidence:.2f})"
        if reason.kind == "segment"
        else escape(shown(f"{reason.kind}: {' '.join(filter(None, (reason.domain, reason.label)))}"))
        for reason in verdict.reasons[:MOST_TIMES]
    ]
    if reasons:
        line += f": {'; '.join(reasons)}"
    if len(verdict.reasons) > MOST_TIMES:
        line += f" and {len(verdict.reasons) - MOST_TIMES} more"
    if verdict.not_covered:
        line += f"\n[dim]not looked for: {len(verdict.not_covered)} of the policy's labels; see verdict.not_covered[/]"
    return line


def _by_screen_time(row: tuple[tuple[str, str], list[Segment]]) -> tuple[float, float]:
    """Order findings: what was there longest first, then what came first."""
    segments = row[1]
    return -sum(segment.end_seconds - segment.start_seconds for segment in segments), segments[0].start_seconds


def _where(reason: Reason) -> str:
    return f"{reason.start_seconds:.1f}-{reason.end_seconds:.1f} s" if reason.item is None else f"item {reason.item}"


def _times(segments: list[Segment]) -> str:
    items = [getattr(segment, "item", None) for segment in segments]
    spans = [
        f"{segment.start_seconds:.1f}-{segment.end_seconds:.1f}" if item is None else f"item {item}"
        for segment, item in zip(segments[:MOST_TIMES], items, strict=False)
    ]
    more = len(segments) - MOST_TIMES
    return ", ".join(spans) + (f" and {more} more" if more > 0 else "")
