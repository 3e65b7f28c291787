"""Let a person look at what was found and decide."""

from serve.review.decisions import merged, read_decisions, report_sha256
from serve.review.page import page
from serve.review.source import MediaSource, media_source

__all__ = ["MediaSource", "media_source", "merged", "page", "read_decisions", "report_sha256"]
