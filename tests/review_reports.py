"""A report of the demo with something of everything that a reviewer may meet, made by hand; hostile where asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_zoo.faces.schema import BestFace, FacePoint, FacesPart, FaceTrack, GalleryMatch, Person
from model_zoo.moderation.schema import ModerationPart, ModerationSegment
from model_zoo.objects.schema import ObjectSegment, ObjectsPart, ObjectTrack
from model_zoo.report import (
    BoxFacts,
    Coverage,
    DecodeFacts,
    DomainPart,
    Evidence,
    Report,
    ReportedError,
    Run,
    TrackPoint,
)
from model_zoo.text.schema import TextPart, TextSegment
from model_zoo.toxicity.schema import Passage, RatedText, ToxicityPart, ToxicitySegment
from model_zoo.transcription.schema import SpeechSegment, TranscriptionPart
from model_zoo.verdict import Reason, Verdict
from serve.media import Limits, open_media

HOSTILE = "</script><script>window.broken = 1</script><img src=x onerror='window.broken = 2'>\"'&amp;{{ 7 * 7 }}"
RUDE = "You are a stupid idiot. Shut up."


def span(label: str, start: float, end: float, confidence: float = 0.9, **more: Any) -> dict[str, Any]:
    """Return the fields that every segment has; its peak is in the middle."""
    return {
        "label": label,
        "start_seconds": start,
        "end_seconds": end,
        "peak_seconds": round((start + end) / 2, 2),
        "peak_confidence": confidence,
        "mean_confidence": confidence,
        "frames": 3,
    } | more


def box(x1: float, y1: float, x2: float, y2: float) -> BoxFacts:
    """Return a box in shares of the picture."""
    return BoxFacts(x1=x1, y1=y1, x2=x2, y2=y2)


def moderation() -> ModerationPart:
    """Return a label of level 2 with the one above it, and where it was."""
    evidence = Evidence(source="objects/nanodet", label="knife", confidence=0.82, grade="weak evidence")
    weapons = ModerationSegment(
        **span("Weapons", 15.0, 18.0, 0.82),
        parent="Violence",
        level=2,
        grade="weak evidence",
        threshold=0.3,
        evidence=[evidence],
        regions=[TrackPoint(seconds=16.5, confidence=0.82, box=box(0.6, 0.5, 0.8, 0.9))],
    )
    violence = ModerationSegment(
        **span("Violence", 15.0, 18.0, 0.82), parent=None, level=1, grade="weak evidence", threshold=0.3, evidence=[]
    )
    return ModerationPart(
        segments=[violence, weapons],
        coverage=[
            Coverage(label="Weapons", grade="weak evidence", source="objects/nanodet"),
            Coverage(label="Gambling", grade="not covered", reason="no model looks for it"),
        ],
    )


def faces(name: str | None) -> FacesPart:
    """Return somebody at 22 to 25 seconds of the demo, whose face is really there."""
    best = BestFace(
        seconds=23.0,
        confidence=0.95,
        box=box(0.4, 0.2, 0.62, 0.72),
        landmarks=[],
        size_pixels=180,
        sharpness=100,
        yaw_degrees=0,
        pitch_degrees=0,
        roll_degrees=0,
    )
    person = Person(
        id="person-1",
        match=GalleryMatch(name=name, distance=0.02, picture="1.jpg") if name else None,
        first_seen_seconds=22.0,
        last_seen_seconds=25.0,
        seconds_on_screen=3.0,
        faces=3,
        tracks=[0],
        best=best,
    )
    points = [FacePoint(seconds=second, confidence=0.9, box=best.box, recognisable=True) for second in (22.0, 23.0)]
    track = FaceTrack(**span("face", 22.0, 25.0), track=0, person="person-1", points=points)
    return FacesPart(tracks=[track], people=[person])


def toxicity(text: str) -> ToxicityPart:
    """Return rude speech, whose rude words are marked, and a friendly line on the screen."""
    spoken = RatedText(
        origin="speech",
        text=text,
        start_seconds=21.5,
        end_seconds=26.0,
        toxicity=0.97,
        scores={"insult": 0.97},
        passages=[Passage(start=10, end=22, key="insult"), Passage(start=17, end=99_999, key="profanity")],
    )
    shown = RatedText(
        origin="screen", text="CITY TRAFFIC NEWS", start_seconds=8.5, end_seconds=14.2, toxicity=0.01, scores={}
    )
    segments = [ToxicitySegment(**span("insult", 21.5, 26.0, 0.97), origin="speech")]
    return ToxicityPart(segments=segments, texts=[spoken, shown])


def demo_report(video: Path, *, hostile: bool = False, verdict: bool = True) -> Report:
    """Return the report; a hostile one has code and markup wherever text from outside can be."""
    media = open_media(video, Limits()).facts
    evil = HOSTILE if hostile else ""
    speech = SpeechSegment(**span("speech", 21.5, 26.0), text=(evil or RUDE), language="en", speaker="speaker-1")
    person = [TrackPoint(seconds=second, confidence=0.9, box=box(0.1, 0.1, 0.5, 0.9)) for second in (15.0, 16.0, 17.0)]
    parts: dict[str, DomainPart] = {
        "moderation": moderation(),
        "objects": ObjectsPart(
            segments=[ObjectSegment(**span("person", 15.0, 18.0), peak_count=1)],
            tracks=[ObjectTrack(**span("person", 15.0, 18.0), track=0, points=person)],
        ),
        "faces": faces(evil or None),
        "text": TextPart(segments=[TextSegment(**span(evil or "CITY TRAFFIC NEWS", 8.5, 14.2), points=[])]),
        "transcription": TranscriptionPart(segments=[speech], language="en"),
        "toxicity": toxicity(evil or RUDE),
    }
    reason = Reason(
        decision="block",
        rule=evil or "Weapons at 0.50 or more",
        domain="moderation",
        label="Weapons",
        start_seconds=15.0,
        end_seconds=18.0,
        confidence=0.82,
        threshold=0.5,
    )
    return Report(
        reelwarden_version="0.1.0",
        media=media.model_copy(update={"name": evil or media.name}),
        decode=DecodeFacts(
            backend="cpu",
            backend_reason="made by hand",
            strategy="all",
            strategy_reason="made by hand",
            interval_seconds=1.0,
            tolerance_seconds=0.0,
            frames_decoded=780,
            frames_analyzed=32,
            analyzed_seconds=31.2,
            last_good_seconds=31.16,
        ),
        domains=parts,
        complete=not hostile,
        errors=[ReportedError(domain="labels", type="ValueError", message=evil)] if hostile else [],
        verdict=Verdict(
            decision="block",
            policy=evil or "default",
            policy_version=1,
            policy_sha256="ab" * 32,
            reasons=[reason],
            severity={"Violence": 4, "Hate": 0},
        )
        if verdict
        else None,
        run=Run(wall_seconds=1.0),
    )
