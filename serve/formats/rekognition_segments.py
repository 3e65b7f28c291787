"""Rekognition GetSegmentDetection: shots, and stretches of black, with frame numbers and SMPTE timecodes."""

from __future__ import annotations

from model_zoo.report import Report
from model_zoo.shots.schema import ShotsPart
from serve.formats.form import Form, as_json
from serve.formats.rekognition_shape import Json, job, millis, percent, version, video_metadata

DOMAIN = "shots"
DROP_RATES = {30: 2, 60: 4}  # nominal frames a second -> frame numbers that are left out every minute but each tenth
NTSC = 1000 / 1001  # of 30 or 60 frames a second


def segment_detection(report: Report) -> str:
    """Return shots, then black stretches."""
    part = report.domains[DOMAIN]
    rate = report.media.video.frame_rate if report.media.video else None
    items: list[Json] = []
    if isinstance(part, ShotsPart):
        for shot in part.segments:
            what = {"Index": shot.index, "Confidence": percent(shot.peak_confidence)}
            items.append({"Type": "SHOT", "ShotSegment": what, **_times(shot.start_seconds, shot.end_seconds, rate)})
        for black in part.transitions:
            if black.kind != "cut":
                cue = {"Type": "BlackFrames", "Confidence": 100.0}
                times = _times(black.start_seconds, black.end_seconds, rate)
                items.append({"Type": "TECHNICAL_CUE", "TechnicalCueSegment": cue, **times})
    model = version(report, (DOMAIN,))
    audio = report.media.audio
    sound = {"Codec": audio.codec, "SampleRate": audio.sample_rate, "NumberOfChannels": audio.channels} if audio else {}
    return as_json(
        job(report)
        | {
            "VideoMetadata": [video_metadata(report)],
            "AudioMetadata": [{**sound, "DurationMillis": millis(_sound_seconds(report))}] if audio else [],
            "Segments": items,
            "SelectedSegmentTypes": [{"Type": kind, "ModelVersion": model} for kind in ("SHOT", "TECHNICAL_CUE")],
        }
    )


def _sound_seconds(report: Report) -> float:
    audio = report.media.audio
    return (audio.duration_seconds if audio else None) or report.media.duration_seconds or 0.0


def _times(start_seconds: float, end_seconds: float, rate: float | None) -> Json:
    """Return the times of a segment; its end is the first frame after it. Frames only where the rate is known."""
    start, end = millis(start_seconds), millis(end_seconds)
    times: Json = {"StartTimestampMillis": start, "EndTimestampMillis": end, "DurationMillis": end - start}
    if rate:
        first, after = round(start_seconds * rate), round(end_seconds * rate)
        times |= {"StartFrameNumber": first, "EndFrameNumber": after, "DurationFrames": after - first}
        times |= {"StartTimecodeSMPTE": timecode(first, rate), "EndTimecodeSMPTE": timecode(after, rate)}
        times["DurationSMPTE"] = timecode(after - first, rate)
    return times


def timecode(frame: int, rate: float) -> str:
    """Return HH:MM:SS:FF, or HH:MM:SS;FF in drop-frame counting at 29.97 and 59.94 frames a second (SMPTE ST 12-1)."""
    nominal = max(1, round(rate))
    sign = ":"
    dropped = DROP_RATES.get(nominal)
    if dropped and abs(rate - nominal * NTSC) < abs(rate - nominal):
        sign = ";"
        minute, ten_minutes = nominal * 60 - dropped, nominal * 600 - dropped * 9
        tens, rest = divmod(frame, ten_minutes)
        frame += dropped * (9 * tens + max(0, (rest - dropped) // minute))
    seconds, frames = divmod(frame, nominal)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{sign}{frames:02}"


SEGMENT_DETECTION = Form(
    "rekognition-segment-detection",
    "Rekognition GetSegmentDetection",
    ("application/json",),
    "rekognition-segment-detection.json",
    segment_detection,
    profile="rekognition-segment-detection",
    needs=(DOMAIN,),
)
