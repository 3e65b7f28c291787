"""The decisions of a person: read from what the page exported, and merged into the report they were made on."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from model_zoo.errors import UsageError
from model_zoo.report import Report
from model_zoo.verdict import Review
from serve.review.findings import key_of
from serve.review.outcome import outcome
from serve.shown import shown


def report_sha256(report: Report) -> str:
    """Return the hash of what a report says of its media, whatever its layout.

    It is taken over the report as JSON with sorted keys, without spaces, without what is null, and without `run` and
    the reviews: the same file analyzed again the same way has the same hash, and so has a report with decisions in it.
    """
    content = _without_nulls(report.model_dump(mode="json", exclude={"run", "review", "earlier_reviews"}))
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_decisions(name: str, text: str) -> Review:
    """Parse the file that the page exports; raises UsageError."""
    try:
        review = Review.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError(
            f"{shown(name)}: {shown(place)}: {first['msg']}; give the file that the review page exports"
        ) from error
    if not review.reviewer.strip():
        raise UsageError(f"{shown(name)}: reviewer={review.reviewer!r}: say who decided")
    if not _is_time(review.reviewed_at):
        raise UsageError(f"{shown(name)}: reviewed_at={review.reviewed_at!r}: write it as 2026-01-31T12:00:00Z")
    return review


def merged(report: Report, review: Review) -> Report:
    """Return the report with the decisions in it: the review that was made last, and the earlier ones in their order.

    Each says what it makes of the verdict, which stays as it was. The same decisions once more change nothing. Raises
    UsageError where they are not of this report.
    """
    own = report_sha256(report)
    if review.report_sha256 != own:
        raise UsageError(
            f"report_sha256={shown(review.report_sha256)!r}: these decisions were made on another report than this one "
            f"({own}); give the report that the page was built from"
        )
    there = {key_of(domain, segment) for domain, part in report.domains.items() for segment in part.segments}
    for item in review.segments:
        if key_of(item.domain, item) not in there:
            raise UsageError(
                f"segment {shown(item.label)!r} of {shown(item.domain)}, {item.start_seconds:g} to "
                f"{item.end_seconds:g} s: not in this report; export the decisions again"
            )
    known = [_with_outcome(each, report) for each in (*(report.earlier_reviews or ()), report.review) if each]
    review = _with_outcome(review, report)
    *earlier, last = sorted(known if review in known else [*known, review], key=_reviewed_at)
    return report.model_copy(update={"review": last, "earlier_reviews": earlier or None})


def _with_outcome(review: Review, report: Report) -> Review:
    """Return the review with what it makes of the verdict, whatever the file says of that."""
    return review.model_copy(update={"outcome": outcome(report.verdict, review) if report.verdict else None})


def _reviewed_at(review: Review) -> datetime:
    return datetime.fromisoformat(review.reviewed_at)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
