"""The review page: one HTML file that opens from disk and loads nothing but the media beside it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from model_zoo.report import Report
from serve.review.decisions import report_sha256
from serve.review.findings import Finding, findings, length_seconds, veiled
from serve.review.lanes import lanes
from serve.review.overlays import Overlay, overlays
from serve.review.people import portraits
from serve.review.source import MediaSource
from serve.review.words import lines

SCRIPTS = ("clock.js", "stage.js", "timeline.js", "decisions.js", "main.js")  # one after the other
STYLES = ("page.css", "parts.css")


def page(report: Report, source: MediaSource) -> str:
    """Return the page as HTML. Everything of the report is text in it, never markup or code."""
    found = findings(report)
    numbers = {finding.key: number for number, finding in enumerate(found)}
    script, style = _joined(SCRIPTS), _joined(STYLES)
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            policy=_policy(script, style, source.url),
            script=script,
            style=style,
            report=report,
            media=report.media,
            findings=found,
            lanes=lanes(report, numbers),
            lines=lines(report),
            people=portraits(report, source.stills),
            coverage={name: part.coverage for name, part in report.domains.items() if part.coverage},
            data=_data(report, source, found),
        )
    )


def _data(report: Report, source: MediaSource, found: list[Finding]) -> dict[str, Any]:
    """Return what the script needs to know besides what the page says."""
    video = report.media.video
    return {
        "report_sha256": report_sha256(report),
        "kind": report.media.kind,
        "url": source.url,
        "length_seconds": length_seconds(report),
        "frame_rate": (video.frame_rate if video else None) or 25.0,
        "width": video.width if video else 0,
        "height": video.height if video else 0,
        "veiled": veiled(report),
        "stills": [{"seconds": still.seconds, "src": jpeg_url(still.jpeg)} for still in source.stills],
        "findings": [
            asdict(finding) | {"title": words(finding.label), "jump_seconds": finding.jump_seconds} for finding in found
        ],
        "overlays": [_overlay(overlay) for overlay in overlays(report)],
        "review": report.review.model_dump(mode="json") if report.review else None,
    }


def _overlay(overlay: Overlay) -> dict[str, Any]:
    return {  # asdict would copy every place of a long video, one by one
        "domain": overlay.domain,
        "label": overlay.label,
        "start_seconds": overlay.start_seconds,
        "end_seconds": overlay.end_seconds,
        "sample_seconds": overlay.sample_seconds,
        "places": overlay.places,
    }


def _policy(script: str, style: str, media_url: str | None) -> str:
    """Return the Content-Security-Policy: our own script and style, pictures in the page, the media; no more."""
    place = urlsplit(media_url or "")
    host = f"{place.scheme}://{place.netloc}" if place.scheme in ("http", "https") else "'self' file: data:"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_source_hash(script)}'",
            f"style-src '{_source_hash(style)}'",
            "img-src data:",
            f"media-src {host}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _source_hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def jpeg_url(jpeg: bytes) -> str:
    """Return a picture as an address that holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"


def clock(seconds: float) -> str:
    """Return a time for people: 0:07.4, 1:02:03.0."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def words(label: str) -> str:
    """Return a label as people read it: keys of programs, like `hate_speech`, lose their underscores."""
    return label.replace("_", " ") if re.fullmatch("[a-z_, ]+", label) else label


@cache
def _joined(names: tuple[str, ...]) -> str:
    folder = files("serve.review")
    return "\n".join(folder.joinpath(name).read_text("utf-8") for name in names)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("serve", "review"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clock"] = clock
    environment.filters["words"] = words
    environment.filters["jpeg_url"] = jpeg_url
    return environment
