"""A report as a Label Studio task with predictions, and the labelling configuration that shows it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from typing import Any

from model_zoo.errors import UsageError
from model_zoo.report import Report
from serve.review.decisions import report_sha256
from serve.review.findings import Finding, findings, length_seconds
from serve.review.overlays import Overlay, overlays

NOTHING_FOUND = "missed"  # a label to mark what the models did not see; a group without labels is refused
DEFAULT_FRAME_RATE = 25.0  # of a container that does not say; Label Studio assumes the same


def label_studio_tasks(report: Report, media_url: str) -> list[dict[str, Any]]:
    """Return the tasks to import: one, with the findings as predictions. Raises UsageError for a picture or a text."""
    kind = _kind(report)
    found = findings(report)
    scores = [finding.confidence for finding in found]
    prediction = {
        "model_version": f"reelwarden {report.reelwarden_version}",
        "score": max(scores, default=0.0),
        "result": _video_results(report, found) if kind == "video" else _sound_results(found),
    }
    data = {
        kind: media_url,
        "name": report.media.name,
        "media_sha256": report.media.sha256,
        "report_sha256": report_sha256(report),
        "verdict": report.verdict.decision if report.verdict else None,
    }
    return [{"data": data, "predictions": [prediction]}]


def label_studio_config(report: Report) -> str:
    """Return the labelling configuration, as XML, for tasks of the kind and with the labels of this report."""
    kind = _kind(report)
    view = ElementTree.Element("View")
    found = findings(report)
    labels = sorted({finding.label for finding in found}) or [NOTHING_FOUND]
    boxes = sorted({overlay.label for overlay in _flagged_boxes(report, found)})
    if kind == "video":
        rate = f"{_frame_rate(report):g}"
        ElementTree.SubElement(view, "Video", {"name": "video", "value": "$video", "frameRate": rate, "muted": "true"})
        _with_labels(view, "TimelineLabels", "findings", "video", labels)
        if boxes:
            ElementTree.SubElement(view, "VideoRectangle", {"name": "box", "toName": "video"})
            _with_labels(view, "Labels", "things", "video", boxes)
    else:
        _with_labels(view, "Labels", "findings", "audio", labels)
        ElementTree.SubElement(view, "Audio", {"name": "audio", "value": "$audio"})
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def _with_labels(view: ElementTree.Element, tag: str, name: str, of: str, labels: Iterable[str]) -> None:
    group = ElementTree.SubElement(view, tag, {"name": name, "toName": of})
    for label in labels:
        ElementTree.SubElement(group, "Label", {"value": label})


def _kind(report: Report) -> str:
    if report.media.kind not in ("video", "audio"):
        raise UsageError(f"{report.media.kind}: only videos and sounds become tasks of Label Studio; use the page")
    return report.media.kind


def _frame_rate(report: Report) -> float:
    video = report.media.video
    return (video.frame_rate if video else None) or DEFAULT_FRAME_RATE


def _video_results(report: Report, found: Sequence[Finding]) -> list[dict[str, Any]]:
    rate = _frame_rate(report)
    stretches = [
        {
            "id": f"finding-{number}",
            "type": "timelinelabels",
            "from_name": "findings",
            "to_name": "video",
            "score": finding.confidence,
            "value": {
                "ranges": [{"start": _frame(finding.start_seconds, rate), "end": _frame(finding.end_seconds, rate)}],
                "timelinelabels": [finding.label],
            },
        }
        for number, finding in enumerate(found)
    ]
    boxes, length = _flagged_boxes(report, found), length_seconds(report)
    return stretches + [_rectangle(number, item, rate, length) for number, item in enumerate(boxes)]


def _rectangle(number: int, overlay: Overlay, rate: float, length: float) -> dict[str, Any]:
    sequence = [
        {
            "frame": _frame(seconds, rate),
            "time": seconds,
            "enabled": True,
            "rotation": 0,
            "x": round(100 * x1, 3),
            "y": round(100 * y1, 3),
            "width": round(100 * (x2 - x1), 3),
            "height": round(100 * (y2 - y1), 3),
        }
        for seconds, x1, y1, x2, y2 in overlay.places
    ]
    return {
        "id": f"box-{number}",
        "type": "videorectangle",
        "from_name": "box",
        "to_name": "video",
        "score": overlay.confidence,
        "value": {
            "framesCount": round(length * rate),
            "duration": length,
            "sequence": sequence,
            "labels": [overlay.label],
        },
    }


def _sound_results(found: Sequence[Finding]) -> list[dict[str, Any]]:
    return [
        {
            "id": f"finding-{number}",
            "type": "labels",
            "from_name": "findings",
            "to_name": "audio",
            "score": finding.confidence,
            "value": {"start": finding.start_seconds, "end": finding.end_seconds, "labels": [finding.label]},
        }
        for number, finding in enumerate(found)
    ]


def _flagged_boxes(report: Report, found: Sequence[Finding]) -> list[Overlay]:
    """Return where the findings are; the boxes of harmless things would only be in the way."""
    flagged = {finding.domain for finding in found}
    return [overlay for overlay in overlays(report) if overlay.domain in flagged]


def _frame(seconds: float, rate: float) -> int:
    """Return the number of a frame as Label Studio counts them, from 1."""
    return round(seconds * rate) + 1
