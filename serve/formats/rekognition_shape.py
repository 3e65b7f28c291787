"""What the Rekognition answers share: the job, the video, times in milliseconds, confidences in percent, boxes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model_zoo.report import BoxFacts, DomainPart, Report, SampledSegment, Segment

Json = dict[str, Any]


def job(report: Report) -> Json:
    """Return the members that say how the job went. A report that is not complete says so in StatusMessage."""
    document: Json = {"JobStatus": "SUCCEEDED", "JobId": report.media.sha256}
    if not report.complete:
        document["StatusMessage"] = _incomplete(report)
    return document


def _incomplete(report: Report) -> str:
    reasons = [f"{error.domain or 'analysis'}: {error.message}" for error in report.errors]
    if report.decode.truncated:
        reasons.append(f"the video broke off: {report.decode.truncated_reason}")
    if report.sound and report.sound.truncated:
        reasons.append(f"the sound broke off: {report.sound.truncated_reason}")
    return "not complete: " + "; ".join(reasons)


def video_metadata(report: Report) -> Json:
    """Return VideoMetadata. ColorRange is left out, as the report does not say it."""
    video = report.media.video
    document: Json = {"Format": report.media.container, "DurationMillis": millis(report.media.duration_seconds or 0.0)}
    if video:
        document |= {"Codec": video.codec, "FrameHeight": video.height, "FrameWidth": video.width}
        document |= {"FrameRate": video.frame_rate} if video.frame_rate else {}
    return document


def request(aggregate_by: str) -> Json:
    """Return how the results are ordered and put together."""
    return {"SortBy": "TIMESTAMP", "AggregateBy": aggregate_by}


def version(report: Report, domains: tuple[str, ...]) -> str:
    """Return which models answered: there is no version of Amazon's here."""
    parts = [report.domains[domain] for domain in domains if domain in report.domains]
    names = {model.name: None for part in parts for model in part.models}
    return ", ".join(names) or f"reelwarden {report.reelwarden_version}"


def findings(part: DomainPart) -> Iterator[Segment]:
    """Yield the segments that count: Rekognition has no word for a hint, and a hint must not pass for a finding."""
    return (segment for segment in part.segments if segment.status == "finding")


def moments(segment: Segment) -> Iterator[tuple[int, float]]:
    """Yield milliseconds and percent for every analyzed frame of a segment.

    An older report keeps the peak of a segment and its mean, not each frame: there, frames are spread evenly, the one
    nearest to the peak stands at the peak with its confidence, the others have the mean.
    """
    if isinstance(segment, SampledSegment) and segment.frame_seconds and segment.frame_confidences:
        for seconds, confidence in zip(segment.frame_seconds, segment.frame_confidences, strict=True):
            yield millis(seconds), percent(confidence)
        return
    frames = max(1, segment.frames)
    step = (segment.end_seconds - segment.start_seconds) / frames
    times = [segment.start_seconds + index * step for index in range(frames)]
    nearest = min(range(frames), key=lambda index: abs(times[index] - segment.peak_seconds))
    times[nearest] = segment.peak_seconds
    for index, seconds in enumerate(times):
        confidence = segment.peak_confidence if index == nearest else segment.mean_confidence
        yield millis(seconds), percent(confidence)


def stretch(segment: Segment) -> Json:
    """Return the members of a result that stands for a segment."""
    start, end = millis(segment.start_seconds), millis(segment.end_seconds)
    return {"Timestamp": start, "StartTimestampMillis": start, "EndTimestampMillis": end, "DurationMillis": end - start}


def millis(seconds: float) -> int:
    """Return milliseconds, rounded down as Rekognition does; a float just below a millisecond counts as that one."""
    return int(seconds * 1000 + 1e-6)


def percent(confidence: float) -> float:
    """Return 0 to 100."""
    return round(100 * confidence, 4)


def bounding_box(box: BoxFacts) -> Json:
    """Return a BoundingBox."""
    return {
        "Left": box.x1,
        "Top": box.y1,
        "Width": round(box.x2 - box.x1, 6),
        "Height": round(box.y2 - box.y1, 6),
    }
