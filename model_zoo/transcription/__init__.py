"""Transcription: what is said, when, in which language and by which voice."""

from __future__ import annotations

from model_zoo.domain import Domain, Loaded, Options, Start, Summary
from model_zoo.errors import ManifestError
from model_zoo.fits import Fits
from model_zoo.report import Coverage
from model_zoo.transcription.hearing import Hearing
from model_zoo.transcription.postprocess import main_language, segment, sentences
from model_zoo.transcription.schema import TranscriptionPart
from model_zoo.transcription.speakers import said_by, speakers_of
from model_zoo.transcription.words import from_arrays
from model_zoo.values import Listener

VOICE = "voice"
TRANSCRIBER = "transcriber"
SPEAKERS = "speakers"
DECODERS = {VOICE: "speech_steps", TRANSCRIBER: "whisper", SPEAKERS: "voice_embedding"}


def start(start: Start) -> tuple[Listener, ...]:
    """Listen for speech, and transcribe it as it comes."""
    models = {role: _fitting(start.models[role], role) for role in DECODERS}
    speakers = models[SPEAKERS] if tells_speakers_apart(start.options) else None
    hearing = Hearing(models[VOICE], models[TRANSCRIBER], speakers, start.options)
    taken = models[VOICE].spec.hears()
    listener = Listener(
        VOICE, taken.sample_rate, taken.window_seconds, taken.hop_seconds, hearing.hear, hearing.finish
    )  # fmt: skip
    return (listener,)


def tells_speakers_apart(options: Options) -> bool:
    """Say whether voices may be compared, and should be."""
    return options.speakers and options.biometrics


def _fitting(loaded: Loaded, role: str) -> Loaded:
    if loaded.spec.decoder != DECODERS[role]:
        raise ManifestError(
            f"[{loaded.spec.name}] decoder {loaded.spec.decoder!r} is not transcription's for {role}: {DECODERS[role]}"
        )
    return loaded


def summarize(summary: Summary) -> TranscriptionPart:
    """Group the words into sentences, and the sentences by voice."""
    heard = [prediction.arrays for prediction in summary.predictions.get(VOICE, ())]
    words = sorted((word for arrays in heard for word in from_arrays(arrays)), key=lambda word: word.start_seconds)
    said = said_by(list(sentences(words)), heard)
    segments = [segment(sentence, speaker, summary.heard_seconds) for sentence, speaker in said]
    language, sure = main_language(words)
    source = f"transcription/{summary.models[TRANSCRIBER].name}"
    return TranscriptionPart(
        segments=segments,
        language=language,
        language_confidence=sure,
        beam_size=summary.options.beam_size,
        speakers=speakers_of(segments) if tells_speakers_apart(summary.options) else None,
        coverage=[Coverage(label="speech", grade="trained classifier", source=source)],
    )


DOMAIN = Domain(
    name="transcription",
    title="what is said, when, in which language and by which voice",
    roles={VOICE: True, TRANSCRIBER: True, SPEAKERS: True},
    reads=(),
    start=start,
    summarize=summarize,
    part=TranscriptionPart,
    fits={role: Fits("sound", (decoder,)) for role, decoder in DECODERS.items()},
)
