"""Transcription: what is said, when, in which language and by which voice."""

from __future__ import annotations

from model_zoo.domain import Domain, Loaded, Start, Summary
from model_zoo.errors import ManifestError
from model_zoo.report import Coverage
from model_zoo.transcription.hearing import Hearing
from model_zoo.transcription.postprocess import main_language, segment, sentences
from model_zoo.transcription.schema import TranscriptionPart
from model_zoo.transcription.words import from_arrays
from model_zoo.values import Listener

VOICE = "voice"
TRANSCRIBER = "transcriber"
SPEAKERS = "speakers"
DECODERS = {VOICE: "speech_steps", TRANSCRIBER: "whisper", SPEAKERS: "voice_embedding"}


def start(start: Start) -> tuple[Listener, ...]:
    """Listen for speech, and transcribe it as it comes."""
    models = {role: _fitting(start.models[role], role) for role in DECODERS}
    told_apart = start.options.speakers and start.options.biometrics
    hearing = Hearing(
        models[VOICE], models[TRANSCRIBER], models[SPEAKERS] if told_apart else None, start.options.language
    )
    taken = models[VOICE].spec.hears()
    return (Listener(VOICE, taken.sample_rate, taken.window_seconds, taken.hop_seconds, hearing.hear, hearing.finish),)


def _fitting(loaded: Loaded, role: str) -> Loaded:
    if loaded.spec.decoder != DECODERS[role]:
        raise ManifestError(
            f"[{loaded.spec.name}] decoder {loaded.spec.decoder!r} is not transcription's for {role}: {DECODERS[role]}"
        )
    return loaded


def summarize(summary: Summary) -> TranscriptionPart:
    """Group the words into sentences."""
    predictions = summary.predictions.get(VOICE, ())
    words = [word for prediction in predictions for word in from_arrays(prediction.arrays)]
    words.sort(key=lambda word: word.start_seconds)
    language, sure = main_language(words)
    return TranscriptionPart(
        segments=[segment(sentence, None, summary.heard_seconds) for sentence in sentences(words)],
        language=language,
        language_confidence=sure,
        coverage=[
            Coverage(
                label="speech", grade="trained classifier", source=f"transcription/{summary.models[TRANSCRIBER].name}"
            )
        ],
    )


DOMAIN = Domain(
    name="transcription",
    title="what is said, when, in which language and by which voice",
    roles={VOICE: True, TRANSCRIBER: True, SPEAKERS: True},
    reads=(),
    start=start,
    summarize=summarize,
    part=TranscriptionPart,
)
