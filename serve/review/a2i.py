"""A report as the input of an Amazon A2I human loop: the request of StartHumanLoop, and what workers see of it."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

from model_zoo.errors import UsageError
from model_zoo.report import Report
from serve.review.decisions import report_sha256
from serve.review.findings import findings

MOST_CONTENT_CHARACTERS = 3_145_728  # of InputContent, by the service
_FLOW = re.compile(r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:flow-definition/.+")


def worker_template() -> str:
    """Return the worker task template, in Liquid, that shows what `human_loop_request` hands over."""
    return (files("serve.review") / "a2i_template.html").read_text("utf-8")


def human_loop_request(report: Report, media_url: str, flow_definition: str) -> dict[str, Any]:
    """Return the request; the same report gives the same name, so that a loop is not started twice.

    The worker template finds everything in `task.input`: the media as `taskObject`, and what is asked about it.
    Raises UsageError for a wrong ARN, or when the findings are more than a loop takes.
    """
    if not _FLOW.fullmatch(flow_definition):
        raise UsageError(
            f"flow-definition={flow_definition!r}: write the ARN, arn:aws:sagemaker:REGION:ACCOUNT:flow-definition/NAME"
        )
    sha256 = report_sha256(report)
    content = {
        "taskObject": media_url,
        "name": report.media.name,
        "reportSha256": sha256,
        "verdict": report.verdict.decision if report.verdict else None,
        "findings": [
            {
                "domain": finding.domain,
                "label": finding.label,
                "startSeconds": finding.start_seconds,
                "endSeconds": finding.end_seconds,
                "confidence": finding.confidence,
                "isHint": finding.is_hint,
                "rule": finding.rule,
            }
            for finding in findings(report)
        ],
    }
    text = json.dumps(content, ensure_ascii=True)
    if len(text) > MOST_CONTENT_CHARACTERS:
        raise UsageError(
            f"{report.media.name}: {len(text):,} characters of findings, a human loop takes "
            f"{MOST_CONTENT_CHARACTERS:,}; use the review page"
        )
    return {
        "HumanLoopName": f"reelwarden-{sha256[:48]}",
        "FlowDefinitionArn": flow_definition,
        "HumanLoopInput": {"InputContent": text},
    }
