"""A small report with something of every domain, as tests of policies and output forms want it."""

from __future__ import annotations

from typing import Any, Literal

from model_zoo.faces.schema import (
    BestFace,
    FacePoint,
    FaceSegment,
    FacesPart,
    FaceTrack,
    GalleryFacts,
    GalleryMatch,
    Person,
    Point,
)
from model_zoo.labels.schema import LabelsPart
from model_zoo.moderation.schema import ContentTypeSegment, ModerationPart, ModerationSegment
from model_zoo.moderation.taxonomy import ALL_LABELS, LABELS, with_ancestors
from model_zoo.objects.schema import ObjectSegment, ObjectsPart, ObjectTrack
from model_zoo.report import (
    AudioFacts,
    BoxFacts,
    Coverage,
    DecodeFacts,
    DomainPart,
    Evidence,
    FrameDetail,
    MediaFacts,
    ModelFacts,
    Report,
    Run,
    SampledSegment,
    SoundFacts,
    TrackPoint,
    VideoFacts,
)
from model_zoo.shots.schema import Shot, ShotsPart, Transition
from model_zoo.sounds.schema import SoundSegment, SoundsPart
from model_zoo.text.schema import TextPart, TextSegment
from model_zoo.toxicity.schema import KEYS, RatedText, ToxicityPart, ToxicitySegment
from model_zoo.transcription.schema import SpeechSegment, TranscriptionPart, Word

BOX = BoxFacts(x1=0.25, y1=0.1, x2=0.75, y2=0.6)


def span(start: float, end: float, confidence: float = 0.8) -> dict[str, Any]:
    """Return the fields that every segment has."""
    return {
        "start_seconds": start,
        "end_seconds": end,
        "peak_seconds": (start + end) / 2,
        "peak_confidence": confidence,
        "mean_confidence": confidence,
        "frames": 1,
    }


def finding(
    label: str, start: float, end: float, confidence: float = 0.8, status: Literal["finding", "hint"] = "finding"
) -> ModerationSegment:
    """Return a moderation segment."""
    grade = "weak evidence" if status == "hint" else "trained classifier"
    evidence = Evidence(source="moderation/some_model", label="own", confidence=confidence, grade=grade)
    return ModerationSegment(
        label=label,
        parent=ALL_LABELS[label].parent,
        level=ALL_LABELS[label].level,
        status=status,
        grade=grade,
        threshold=0.7,
        evidence=[evidence],
        **span(start, end, confidence),
    )


def with_parents(label: str, start: float, end: float, confidence: float = 0.8) -> list[ModerationSegment]:
    """Return a moderation segment and those of the labels above it, as a report has them."""
    return [finding(name, start, end, confidence) for name in reversed(with_ancestors(label))]


def moderation(*segments: ModerationSegment, covered: tuple[str, ...] = ("Explicit",)) -> ModerationPart:
    """Return a moderation part whose models know the labels `covered`."""
    coverage = [
        Coverage(label=label, grade="trained classifier", source="moderation/some_model")
        if label in covered
        else Coverage(label=label, grade="not covered", reason="none of the models that ran knows it")
        for label in LABELS
    ]
    return ModerationPart(segments=list(segments), coverage=coverage, models=[model("nsfw_score", "some_model")])


def model(role: str, name: str) -> ModelFacts:
    """Return a model that took part."""
    return ModelFacts(
        role=role, name=name, sha256="0" * 64, licence="MIT", backend="fake", device="cpu", device_reason="a test"
    )


def report(kind: Literal["video", "audio", "image", "text"] = "video", **parts: DomainPart) -> Report:
    """Return a report of ten seconds of 1920 x 1080 video, or of another kind of media."""
    video = VideoFacts(
        stream_index=0,
        codec="h264",
        width=1920,
        height=1080,
        coded_width=1920,
        coded_height=1080,
        rotation_degrees=0,
        sample_aspect_ratio="1:1",
        frame_rate=25.0,
        start_seconds=0.0,
        duration_seconds=10.0,
    )
    audio = AudioFacts(stream_index=1, codec="aac", sample_rate=48000, channels=2)
    return Report(
        reelwarden_version="0.1.0",
        media=MediaFacts(
            name="clip.mp4",
            kind=kind,
            sha256="ab" * 32,
            size_bytes=1000,
            container="mov,mp4",
            duration_seconds=None if kind in ("image", "text") else 10.0,
            video=video if kind in ("video", "image") else None,
            audio=audio if kind in ("video", "audio") else None,
        ),
        decode=DecodeFacts(
            backend="cpu",
            backend_reason="a test",
            strategy="all",
            strategy_reason="a test",
            interval_seconds=1.0,
            tolerance_seconds=0.0,
            frames_decoded=250,
            frames_analyzed=10,
            analyzed_seconds=10.0,
            last_good_seconds=9.96,
        ),
        sound=SoundFacts(reason="a test", sample_rates=[16000], heard_seconds=10.0),
        domains=parts,
        complete=True,
        run=Run(wall_seconds=1.0),
    )


def speech(text: str, start: float, end: float) -> SpeechSegment:
    """Return a segment of speech whose words share its time."""
    words = text.split()
    step = (end - start) / max(1, len(words))
    return SpeechSegment(
        text=text,
        language="en",
        speaker="speaker-1",
        words=[
            Word(
                text=word,
                start_seconds=start + index * step,
                end_seconds=start + (index + 1) * step,
                confidence=0.9,
                speaker="speaker-1",
            )
            for index, word in enumerate(words)
        ],
        **span(start, end, 0.9),
    )


def transcription(*segments: SpeechSegment) -> TranscriptionPart:
    """Return a transcription part."""
    return TranscriptionPart(segments=list(segments), language="en", language_confidence=0.99)


def toxicity() -> ToxicityPart:
    """Return a toxicity part: one insult that was spoken, and one harmless line on the screen."""
    return ToxicityPart(
        segments=[ToxicitySegment(label="insult", origin="speech", **span(1.0, 3.0, 0.9))],
        texts=[
            RatedText(
                origin="speech",
                text="You are stupid.",
                start_seconds=1.0,
                end_seconds=3.0,
                toxicity=0.92,
                scores={"insult": 0.9, "profanity": 0.2},
            ),
            RatedText(
                origin="screen", text="EXIT", start_seconds=0.0, end_seconds=9.0, toxicity=0.01, scores={"insult": 0.01}
            ),
        ],
        coverage=[
            Coverage(label=key, grade="not covered", reason="no model covers it")
            if key == "graphic"
            else Coverage(label=key, grade="trained classifier", source="toxicity/some_model")
            for key in KEYS
        ],
    )


def faces() -> FacesPart:
    """Return a faces part: one person of a gallery, seen twice."""
    point = FacePoint(seconds=2.0, confidence=0.9, box=BOX, recognisable=True)
    best = BestFace(
        seconds=2.0,
        confidence=0.9,
        box=BOX,
        landmarks=[Point(x=0.4, y=0.3)],
        size_pixels=200,
        sharpness=80,
        yaw_degrees=1,
        pitch_degrees=2,
        roll_degrees=3,
    )
    return FacesPart(
        segments=[
            FaceSegment(label="face", peak_count=1, **span(2.0, 4.0, 0.9)),
            FaceSegment(label="Ada", peak_count=1, person="person-1", **span(2.0, 4.0, 0.9)),
        ],
        tracks=[
            FaceTrack(
                track=0,
                person="person-1",
                points=[point, point.model_copy(update={"seconds": 3.0})],
                **span(2.0, 4.0, 0.9),
            ),
            FaceTrack(track=1, person=None, points=[point], **span(2.0, 3.0, 0.9)),
        ],
        people=[
            Person(
                id="person-1",
                match=GalleryMatch(name="Ada", distance=0.3, picture="ada.jpg"),
                first_seen_seconds=2.0,
                last_seen_seconds=4.0,
                seconds_on_screen=2.0,
                faces=2,
                tracks=[0],
                best=best,
            )
        ],
        faces=3,
        recognisable_faces=3,
        gallery=GalleryFacts(names=1, pictures=1, threshold=0.4),
        models=[model("detector", "some_faces")],
    )


def everything() -> Report:
    """Return a report in which every domain found something."""
    track = TrackPoint(seconds=5.0, confidence=0.7, box=BOX)
    return report(
        moderation=moderation(
            *with_parents("Exposed Female Nipple", 2.0, 4.0, 0.95),
            finding("Weapons", 6.0, 7.0, 0.85, "hint"),
            covered=("Explicit", "Explicit Nudity", "Exposed Female Nipple"),
        ).model_copy(
            update={
                "content_types": [ContentTypeSegment(label="Animated", grade="weak evidence", **span(3.0, 4.0, 0.91))],
                "frames": [FrameDetail(role="nsfw_score", seconds=3.0, scores={"nsfw": 0.95})],
            }
        ),
        objects=ObjectsPart(
            segments=[ObjectSegment(label="knife", peak_count=1, **span(5.0, 6.0, 0.7))],
            tracks=[ObjectTrack(label="knife", track=0, points=[track], **span(5.0, 6.0, 0.7))],
            models=[model("detector", "some_objects")],
        ),
        labels=LabelsPart(segments=[SampledSegment(label="beach", **span(0.0, 8.0, 0.6))]),
        shots=ShotsPart(
            segments=[
                Shot(index=0, opened_by="start", **span(0.0, 4.0, 1.0)),
                Shot(index=1, opened_by="cut", **span(4.0, 10.0, 1.0)),
            ],
            transitions=[
                Transition(kind="cut", start_seconds=4.0, end_seconds=4.0),
                Transition(kind="black", start_seconds=9.0, end_seconds=10.0),
            ],
        ),
        faces=faces(),
        sounds=SoundsPart(segments=[SoundSegment(label="Dog", basis="recognised", **span(1.0, 2.0, 0.5))]),
        text=TextPart(segments=[TextSegment(label="EXIT ONLY", points=[track], **span(5.0, 6.0, 0.99))]),
        transcription=transcription(speech("You are stupid.", 1.0, 3.0), speech("Well, hello there!", 5.5, 7.25)),
        toxicity=toxicity(),
    )
