"""What Amazon Transcribe writes: the transcript of a job, and its toxicity detection.

Times and confidences of items are text there, those of toxicity are numbers; punctuation is an item of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from model_zoo.report import Report
from model_zoo.toxicity.schema import ToxicityPart
from model_zoo.transcription.schema import SpeechSegment, TranscriptionPart, Word
from serve.formats.cues import speech
from serve.formats.form import Form, as_json

SPEECH, TOXICITY = "transcription", "toxicity"
PUNCTUATION = ".,?!;:…。，、？！；：؟،।"
NOBODY = "spk_0"

Json = dict[str, Any]


def transcript(report: Report) -> str:
    """Return the transcript: the whole text, every word, every stretch of speech, and who speaks where known."""
    segments = speech(report)
    items = _items(segments)
    owned: dict[int, list[int]] = defaultdict(list)
    for item, number in items:
        owned[number].append(item["id"])
    stretches = [_stretch(number, segment, owned[number]) for number, segment in enumerate(segments)]
    results = _text_and_items(segments, items) | {"audio_segments": stretches}
    part = report.domains.get(SPEECH)
    if isinstance(part, TranscriptionPart):
        results |= _language(part) | _speakers(part, segments)
    return _document(report, results)


def toxicity(report: Report) -> str:
    """Return how toxic each stretch of speech is; a category that no model covers is missing, never 0."""
    part = report.domains[TOXICITY]
    rated = part.texts if isinstance(part, ToxicityPart) else []
    segments = speech(report)
    found = [
        {
            "text": text.text,
            "toxicity": text.toxicity,
            "categories": dict(text.scores),
            "start_time": text.start_seconds,
            "end_time": text.end_seconds,
        }
        for text in rated
        if text.origin != "screen"
    ]
    return _document(report, _text_and_items(segments, _items(segments)) | {"toxicity_detection": found})


def _document(report: Report, results: Json) -> str:
    return as_json({"jobName": report.media.sha256, "status": "COMPLETED", "results": results})


def _items(segments: Sequence[SpeechSegment]) -> list[tuple[Json, int]]:
    """Return every word and every sign of punctuation, numbered, and the number of its stretch of speech."""
    found: list[tuple[Json, int]] = []
    for place, segment in enumerate(segments):
        for word in segment.words:
            bare = word.text.rstrip(PUNCTUATION)
            own = [_pronounced(word, bare)] if bare else []
            own += [_punctuation(sign, word) for sign in word.text[len(bare) :]]
            found += [({"id": len(found) + number, **item}, place) for number, item in enumerate(own)]
    return found


def _text_and_items(segments: Sequence[SpeechSegment], items: Sequence[tuple[Json, int]]) -> Json:
    whole = " ".join(segment.text.strip() for segment in segments)
    return {"transcripts": [{"transcript": whole}], "items": [item for item, _ in items]}


def _pronounced(word: Word, bare: str) -> Json:
    return {
        "type": "pronunciation",
        "alternatives": [{"confidence": _text(word.confidence), "content": bare}],
        "start_time": _text(word.start_seconds),
        "end_time": _text(word.end_seconds),
        **_speaker(word.speaker),
    }


def _punctuation(sign: str, word: Word) -> Json:
    return {
        "type": "punctuation",
        "alternatives": [{"confidence": "0.0", "content": sign}],
        **_speaker(word.speaker),
    }


def _stretch(number: int, segment: SpeechSegment, items: list[int]) -> Json:
    return {
        "id": number,
        "transcript": segment.text.strip(),
        "start_time": _text(segment.start_seconds),
        "end_time": _text(segment.end_seconds),
        "items": items,
        **_speaker(segment.speaker),
    }


def _language(part: TranscriptionPart) -> Json:
    """Return the language, as ISO 639-1: which country's is not known."""
    if part.language is None:
        return {}
    score = _text(part.language_confidence or 0.0)
    return {"language_code": part.language, "language_identification": [{"code": part.language, "score": score}]}


def _speakers(part: TranscriptionPart, segments: Sequence[SpeechSegment]) -> Json:
    if part.speakers is None:
        return {}
    return {
        "speaker_labels": {
            "speakers": len(part.speakers),
            "segments": [
                {
                    "start_time": _text(segment.start_seconds),
                    "end_time": _text(segment.end_seconds),
                    "speaker_label": _label(segment.speaker),
                    "items": [
                        {
                            "start_time": _text(word.start_seconds),
                            "end_time": _text(word.end_seconds),
                            "speaker_label": _label(word.speaker),
                        }
                        for word in segment.words
                    ],
                }
                for segment in segments
            ],
        }
    }


def _speaker(speaker: str | None) -> Json:
    return {"speaker_label": _label(speaker)} if speaker else {}


def _label(speaker: str | None) -> str:
    """Return Transcribe's name of a speaker: `speaker-1` is `spk_0`."""
    number = (speaker or "").rpartition("-")[2]
    return f"spk_{int(number) - 1}" if number.isdecimal() else NOBODY


def _text(number: float) -> str:
    return str(round(number, 3))


TRANSCRIPT = Form(
    "transcribe-transcript",
    "the transcript of an Amazon Transcribe job",
    ("application/json",),
    "transcribe-transcript.json",
    transcript,
    profile="transcribe-transcript",
    needs=(SPEECH,),
)
TRANSCRIBE_TOXICITY = Form(
    "transcribe-toxicity",
    "the toxicity detection of an Amazon Transcribe job",
    ("application/json",),
    "transcribe-toxicity.json",
    toxicity,
    profile="transcribe-toxicity",
    needs=(TOXICITY,),
)
