"""Segments as CSV, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re

from model_zoo.report import Report, Segment
from serve.formats.form import Form

COLUMNS = (
    "media",
    "domain",
    "label",
    "status",
    "start_seconds",
    "end_seconds",
    "peak_seconds",
    "peak_confidence",
    "mean_confidence",
    "frames",
    "text",
    "person",
    "speaker",
    "origin",
    "item",
    "item_id",
)
OF_SOME = COLUMNS[COLUMNS.index("text") :]  # segments of some domains have these

# A cell that begins so is a formula to a spreadsheet. Text may also try to end its cell first: where another sign
# than the comma separates cells, quotes do not keep it in.
FORMULA = re.compile(r"(^|[;|\"])(\s*[=+\-@\uff0b\uff0d\uff1d\uff20])")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def segments_csv(report: Report) -> str:
    """Return one row a segment (RFC 4180, with a head)."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(COLUMNS)
    for domain, part in report.domains.items():
        for segment in part.segments:
            writer.writerow(_row(report.media.name, domain, segment))
    return out.getvalue()


def harmless(text: str) -> str:
    """Return text that no spreadsheet takes for a formula, on one line."""
    return FORMULA.sub(r"\1'\2", CONTROL.sub(" ", text))


def _row(media: str, domain: str, segment: Segment) -> list[str | float]:
    return [
        harmless(media),
        domain,
        harmless(segment.label),
        segment.status,
        segment.start_seconds,
        segment.end_seconds,
        segment.peak_seconds,
        segment.peak_confidence,
        segment.mean_confidence,
        segment.frames,
        *(_cell(getattr(segment, name, None)) for name in OF_SOME),
    ]


def _cell(value: str | float | None) -> str | float:
    return "" if value is None else harmless(value) if isinstance(value, str) else value


CSV = Form("csv", "one segment a row", ("text/csv",), "csv", segments_csv)
