"""Every metric there is, for Prometheus at /metrics; names end in a unit."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from model_zoo.report import Report

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128)

REQUESTS = Counter("reelwarden_requests_total", "Answers by route and status.", ["route", "status"])
REQUEST_SECONDS = Histogram(
    "reelwarden_request_seconds", "From the header of a request to the end of its answer.", ["route"], buckets=_SECONDS
)
BODY_BYTES = Counter("reelwarden_body_bytes_total", "Bytes of bodies that were read.")
PLACES = Gauge("reelwarden_taken_places", "Requests that are here now, the waiting ones included.", ["lane"])
REFUSED = Counter("reelwarden_refused_total", "Requests refused because every place was taken.", ["lane"])
STAGE_SECONDS = Counter("reelwarden_stage_seconds_total", "Time of analyses by stage.", ["stage"])
MEDIA_SECONDS = Counter("reelwarden_media_seconds_total", "Length of the video and sound that was analyzed.")
FRAMES = Counter("reelwarden_frames_total", "Frames that were analyzed.")
DECODES = Counter(
    "reelwarden_decodes_total", "Files by what decoded their pictures, and why that did.", ["backend", "cause"]
)
FALLBACKS = Counter(
    "reelwarden_decode_fallbacks_total", "Files that the CPU had to decode, or the rest of them, as the GPU could not."
)
INCOMPLETE = Counter(
    "reelwarden_incomplete_total", "Reports that are not complete, by the type of the first error.", ["type"]
)
BATCH_ROWS = Histogram("reelwarden_batch_rows", "Rows that a model was given at once.", ["model"], buckets=_ROWS)
UP = Gauge("reelwarden_ready_bool", "1 when /ping answers 200, else 0.")
LOAD_SECONDS = Gauge("reelwarden_load_seconds", "How long loading the models took.")


def count(report: Report) -> None:
    """Add one report to the metrics of the work."""
    for stage, seconds in report.run.stage_seconds.items():
        STAGE_SECONDS.labels(stage).inc(seconds)
    heard_seconds = report.sound.heard_seconds if report.sound else 0.0
    MEDIA_SECONDS.inc(max(report.decode.analyzed_seconds, heard_seconds))
    FRAMES.inc(report.decode.frames_analyzed)
    DECODES.labels(report.decode.backend, report.decode.backend_cause or "").inc()
    if report.decode.fallback_reason:
        FALLBACKS.inc()
    if not report.complete:
        INCOMPLETE.labels(report.errors[0].type if report.errors else "Truncated").inc()
