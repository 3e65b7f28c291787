"""What the report says of speech."""

from __future__ import annotations

from pydantic import Field

from model_zoo.document import ReportModel
from model_zoo.report import DomainPart, Segment


class Word(ReportModel):
    """One spoken word."""

    text: str = Field(description="as spoken, with its punctuation, without spaces around it")
    start_seconds: float
    end_seconds: float
    confidence: float = Field(ge=0, le=1)
    speaker: str | None = Field(default=None, description="id of the speaker; null where speakers were not told apart")


class SpeechSegment(Segment):
    """A stretch of speech, about a sentence; its confidence is that of its words."""

    label: str = "speech"
    text: str
    language: str = Field(description="ISO 639-1 code")
    speaker: str | None = Field(default=None, description="id of the speaker of most of it")
    words: list[Word] = Field(default_factory=list)


class Speaker(ReportModel):
    """Somebody who speaks, known within this media file only."""

    id: str = Field(description="speaker-1, speaker-2 ... in order of the first word")
    seconds_of_speech: float
    first_heard_seconds: float
    last_heard_seconds: float


class TranscriptionPart(DomainPart):
    """Segments are stretches of speech, in time order."""

    segments: list[SpeechSegment] = Field(default_factory=list)  # type: ignore[assignment]
    language: str | None = Field(default=None, description="of most of the speech, ISO 639-1; null without speech")
    language_confidence: float | None = Field(default=None, ge=0, le=1)
    beam_size: int | None = Field(default=None, description="readings weighed at once; null in older reports")
    speakers: list[Speaker] | None = Field(default=None, description="null where speakers were not told apart")
