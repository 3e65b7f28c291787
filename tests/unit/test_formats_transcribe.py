"""The Transcribe forms have the shape that Amazon documents, and say what the report says."""

from __future__ import annotations

import json
from typing import Any

import jsonschema

from model_zoo.transcription.schema import Speaker
from serve.formats import form_named, render
from tests.unit.report_fixtures import everything, report, speech, transcription

NUMBER_AS_TEXT = {"type": "string", "pattern": r"^\d+(\.\d+)?$"}
ITEM = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "type": {"enum": ["pronunciation", "punctuation"]},
        "alternatives": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {"confidence": NUMBER_AS_TEXT, "content": {"type": "string", "minLength": 1}},
                "required": ["confidence", "content"],
                "additionalProperties": False,
            },
        },
        "start_time": NUMBER_AS_TEXT,
        "end_time": NUMBER_AS_TEXT,
        "speaker_label": {"type": "string", "pattern": r"^spk_\d+$"},
    },
    "required": ["id", "type", "alternatives"],
    "additionalProperties": False,
    "if": {"properties": {"type": {"const": "pronunciation"}}},
    "then": {"required": ["start_time", "end_time"]},
    "else": {"properties": {"start_time": False, "end_time": False}},
}
RESULTS = {
    "transcripts": {"type": "array", "minItems": 1, "maxItems": 1},
    "items": {"type": "array", "items": ITEM},
}
CATEGORIES = (
    "profanity",
    "hate_speech",
    "sexual",
    "insult",
    "violence_or_threat",
    "graphic",
    "harassment_or_abuse",
)


def document(name: str, of: Any) -> dict[str, Any]:
    return json.loads(render(form_named(name), of))


def check(found: dict[str, Any], more: dict[str, Any]) -> None:
    jsonschema.validate(
        found,
        {
            "type": "object",
            "properties": {
                "jobName": {"type": "string", "pattern": "^[0-9a-zA-Z._-]{1,200}$"},
                "status": {"const": "COMPLETED"},
                "results": {
                    "type": "object",
                    "properties": RESULTS | more,
                    "required": ["transcripts", "items", *more],
                },
            },
            "required": ["jobName", "status", "results"],
            "additionalProperties": False,
        },
    )


def test_the_transcript_has_words_punctuation_and_stretches_of_speech() -> None:
    found = document("transcribe-transcript", everything())
    check(found, {"audio_segments": {"type": "array"}})
    results = found["results"]
    assert results["transcripts"] == [{"transcript": "You are stupid. Well, hello there!"}]
    assert [item["alternatives"][0]["content"] for item in results["items"]] == [
        "You", "are", "stupid", ".", "Well", ",", "hello", "there", "!",
    ]  # fmt: skip
    assert [item["id"] for item in results["items"]] == list(range(9))
    assert results["audio_segments"][1]["items"] == [4, 5, 6, 7, 8]
    assert (results["audio_segments"][1]["start_time"], results["audio_segments"][1]["end_time"]) == ("5.5", "7.25")
    assert results["language_code"] == "en"
    assert results["items"][0]["speaker_label"] == "spk_0"


def test_speakers_are_listed_where_they_were_told_apart() -> None:
    who = Speaker(id="speaker-1", seconds_of_speech=2, first_heard_seconds=0, last_heard_seconds=2)
    part = transcription(speech("Hello you.", 0, 2)).model_copy(update={"speakers": [who]})
    labels = document("transcribe-transcript", report(transcription=part))["results"]["speaker_labels"]
    assert labels["speakers"] == 1
    assert [item["start_time"] for item in labels["segments"][0]["items"]] == ["0.0", "1.0"]
    without = document("transcribe-transcript", everything())["results"]
    assert "speaker_labels" not in without


def test_toxicity_is_per_stretch_of_speech_and_leaves_out_what_is_not_covered() -> None:
    rated = {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "toxicity": {"type": "number", "minimum": 0, "maximum": 1},
            "categories": {
                "type": "object",
                "properties": {name: {"type": "number", "minimum": 0, "maximum": 1} for name in CATEGORIES},
                "additionalProperties": False,
            },
            "start_time": {"type": "number"},
            "end_time": {"type": "number"},
        },
        "required": ["text", "toxicity", "categories", "start_time", "end_time"],
        "additionalProperties": False,
    }
    found = document("transcribe-toxicity", everything())
    check(found, {"toxicity_detection": {"type": "array", "items": rated}})
    (spoken,) = found["results"]["toxicity_detection"]  # what stands on the screen was not said
    assert spoken["text"] == "You are stupid."
    assert spoken["categories"] == {"insult": 0.9, "profanity": 0.2}
    assert (spoken["start_time"], spoken["end_time"]) == (1.0, 3.0)
