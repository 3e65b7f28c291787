"""The report: one versioned document for the library, the command line, the batch job and the HTTP answer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SerializeAsAny

from model_zoo.document import ReportModel
from model_zoo.verdict import Review, Verdict

SCHEMA_VERSION: Literal["reelwarden.report/1"] = "reelwarden.report/1"

Grade = Literal["trained detector", "trained classifier", "zero-shot", "weak evidence", "not covered"]


Status = Literal["finding", "hint"]


class VideoFacts(ReportModel):
    """The video stream that was analyzed."""

    stream_index: int
    codec: str
    profile: str | None = None
    pixel_format: str | None = None
    width: int = Field(description="pixels, upright and with square pixels, as boxes count them")
    height: int
    coded_width: int = Field(description="pixels as stored in the stream")
    coded_height: int
    rotation_degrees: int = Field(description="clockwise turn that was applied to make the picture upright")
    mirrored: bool | None = Field(
        default=None, description="whether left and right changed places before the turn; null in older reports"
    )
    sample_aspect_ratio: str = Field(description="width:height of a stored pixel")
    interlaced: bool = False
    frame_rate: float | None = Field(description="average frames per second, as the container says")
    start_seconds: float = Field(description="presentation time of the first frame in the container's own clock")
    duration_seconds: float | None = Field(default=None, ge=0, description="as the container says")


class AudioFacts(ReportModel):
    """The audio stream that was or would be analyzed."""

    stream_index: int
    codec: str
    sample_rate: int
    channels: int
    language: str | None = None
    duration_seconds: float | None = Field(default=None, ge=0, description="as the container says")


class MediaFacts(ReportModel):
    """What the file is."""

    name: str = Field(description="file name without its folder")
    kind: Literal["video", "audio", "image", "text"]
    sha256: str
    size_bytes: int
    container: str
    duration_seconds: float | None = Field(ge=0, description="as the container says; null for an image")
    video: VideoFacts | None = None
    audio: AudioFacts | None = None
    streams: list[str] = Field(default_factory=list, description="every stream in words, the chosen ones marked")
    unseen_streams: list[str] | None = Field(
        default=None,
        description="pictures and sound beside the chosen streams: nothing looked at them; null in reports before it",
    )


DecodeCause = Literal["setting", "picture", "nothing", "no engine", "not taken", "reckoned"]


class DecodeFacts(ReportModel):
    """How frames were obtained, and why so."""

    backend: str
    backend_reason: str
    backend_cause: DecodeCause | None = Field(
        default=None, description="the reason in a word that can be counted; null in reports of versions before it"
    )
    fallback_reason: str | None = Field(
        default=None,
        description="why and from when on the CPU decoded what the GPU should have; null where it did not",
    )
    strategy: Literal["all", "skip_nonreference", "seek", "keyframes", "image", "none"]
    strategy_reason: str
    interval_seconds: float = Field(description="shortest asked sampling interval; 0 is every frame")
    tolerance_seconds: float = Field(description="largest distance of a delivered frame from its asked time")
    keyframe_interval_seconds: float | None = None
    frames_decoded: int
    frames_analyzed: int
    analyzed_seconds: float = Field(description="end of the last decoded frame: what the findings speak of")
    last_good_seconds: float | None = Field(description="time of the last frame that was decoded")
    truncated: bool = False
    truncated_reason: str | None = None


class SoundFacts(ReportModel):
    """How the sound was obtained, or why there was none to hear."""

    reason: str = Field(description="what was listened to, or why nothing was")
    sample_rates: list[int] = Field(description="samples per second of the mono sound that the models were given")
    heard_seconds: float = Field(description="end of the last decoded sound: what the findings speak of")
    filled_seconds: float = Field(default=0.0, description="silence that was put where the stream has no sound")
    truncated: bool = False
    truncated_reason: str | None = None


class ModelFacts(ReportModel):
    """One model that took part."""

    role: str
    name: str
    sha256: str
    licence: str
    backend: str
    device: str
    device_reason: str
    precision: str = "fp32"


class BoxFacts(ReportModel):
    """A box, as shares of the upright frame's width and height (0 to 1)."""

    x1: float
    y1: float
    x2: float
    y2: float


class Evidence(ReportModel):
    """What a segment rests on."""

    source: str = Field(description="domain/model that saw it")
    label: str = Field(description="the model's own label")
    confidence: float
    grade: Grade


class TrackPoint(ReportModel):
    """Where a tracked thing was in one frame."""

    seconds: float
    confidence: float
    box: BoxFacts


class Segment(ReportModel):
    """A stretch of time with a finding."""

    label: str
    start_seconds: float
    end_seconds: float
    peak_seconds: float
    peak_confidence: float = Field(ge=0, le=1)
    mean_confidence: float = Field(ge=0, le=1)
    frames: int = Field(description="analyzed frames that carry it")
    status: Status = Field(
        default="finding", description="a hint rests on weak evidence alone and must not decide anything by itself"
    )


class SampledSegment(Segment):
    """A stretch of time with a finding that says of every analyzed frame in it when it was, and how sure."""

    frame_seconds: list[float] | None = Field(default=None, description="of the frames; null in older reports")
    frame_confidences: list[float] | None = Field(default=None, description="one for each of `frame_seconds`")


class FrameBox(ReportModel):
    """One thing that a model saw in one frame."""

    label: str
    confidence: float
    box: BoxFacts


class FrameDetail(ReportModel):
    """Everything one model said of one analyzed frame; only on demand."""

    role: str
    seconds: float
    scores: dict[str, float] = Field(default_factory=dict)
    boxes: list[FrameBox] = Field(default_factory=list)


NO_PICTURE = "there is no picture in it"  # reasons of labels that the media cannot show at all
NO_SOUND = "there is no sound in it"


class Coverage(ReportModel):
    """How well a label is covered by the models that ran; a label that is not covered is never reported as zero."""

    label: str
    grade: Grade
    source: str | None = Field(default=None, description="domain/model")
    reason: str | None = None


class DomainPart(ReportModel):
    """What one domain found. Domains extend it in their schema.py."""

    models: list[ModelFacts] = Field(default_factory=list)
    segments: list[SerializeAsAny[Segment]] = Field(default_factory=list)
    coverage: list[Coverage] = Field(default_factory=list)
    frames: list[FrameDetail] | None = Field(default=None, description="frame-level detail, when asked for")


class ReportedError(ReportModel):
    """Something that went wrong without ending the analysis."""

    domain: str | None = None
    type: str
    message: str


class Run(ReportModel):
    """How this run went: the only part that differs when the same file is analyzed again."""

    stage_seconds: dict[str, float] = Field(
        default_factory=dict, description="wall seconds by stage of the analyzing thread; decoding runs beside it"
    )
    wall_seconds: float
    request_id: str | None = Field(default=None, description="of the HTTP request, as logs name it")


class Report(ReportModel):
    """The whole answer for one media file. Deterministic for the same file, models and settings, but for `run`."""

    schema_version: Literal["reelwarden.report/1"] = SCHEMA_VERSION
    reelwarden_version: str
    media: MediaFacts
    decode: DecodeFacts
    sound: SoundFacts | None = Field(default=None, description="null in reports of versions that heard nothing")
    domains: dict[str, SerializeAsAny[DomainPart]]
    complete: bool = Field(
        description="false when the media broke off or a domain failed; see decode, sound and errors"
    )
    errors: list[ReportedError] = Field(default_factory=list)
    verdict: Verdict | None = Field(default=None, description="null where no policy was applied")
    review: Review | None = Field(
        default=None, description="what was decided last; null where no person's decisions were merged"
    )
    earlier_reviews: list[Review] | None = Field(
        default=None, description="of whomever, in the order of their times; null where there is none"
    )
    run: Run
