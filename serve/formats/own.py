"""The report itself, and its segments one a line."""

from __future__ import annotations

import json

from model_zoo.report import Report
from serve.formats.form import Form


def report_json(report: Report) -> str:
    """Return the whole report."""
    return report.model_dump_json(indent=2) + "\n"


def segment_lines(report: Report) -> str:
    """Return every segment of every domain as a JSON object on a line of its own, in the order of the report."""
    lines = [
        json.dumps(
            {"media": report.media.name, "domain": domain, **segment.model_dump(mode="json")}, ensure_ascii=False
        )
        for domain, part in report.domains.items()
        for segment in part.segments
    ]
    # JSON allows these in a string, but many readers of lines would break the line there
    whole = "".join(line + "\n" for line in lines)
    return whole.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\u0085", "\\u0085")


JSON = Form("json", "the whole report", ("application/json",), "json", report_json)
JSON_LINES = Form(
    "jsonl",
    "one segment a line, as JSON",
    ("application/jsonl", "application/x-ndjson", "application/jsonlines", "application/x-jsonlines"),
    "jsonl",
    segment_lines,
)
