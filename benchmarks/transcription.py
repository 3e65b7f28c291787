"""Transcription of some minutes of English speech, against faster-whisper's own `transcribe`.

All English recordings of the test media whose words are known (LibriVox, LJ Speech, J. F. Kennedy, an announcer),
joined with pauses of 0.7 s and repeated, as one WAV file. The peer is `WhisperModel.transcribe(path)` with its own
defaults (beam of 5, text conditioned on the text before, no voice activity) and the same weights and threads: with the
same arithmetic (int8), and with the arithmetic it takes by itself. There is also its
batched pipeline. Our beam is 2, theirs 5 throughout. Our side opens and hashes the file, decodes it,
finds the speech, and also gives word times, which the peer's default does not; with and without telling the speakers
apart. The word error rate is over the whole text, after case and punctuation are taken away.
"""

from __future__ import annotations

from pathlib import Path

from faster_whisper import BatchedInferencePipeline, WhisperModel

from benchmarks.harness import Case, compare, write
from benchmarks.speech import RATE, joined, recordings, written
from model_zoo.catalog import catalog, named
from model_zoo.metrics.words import word_edits
from model_zoo.transcription.schema import TranscriptionPart
from model_zoo.weights import WeightPlaces, ensure
from serve.cores import usable_threads
from serve.pipeline import Analyzer
from serve.settings import Settings, load_settings

THREADS = usable_threads()
TIMES = 2  # the recordings are repeated
REPEATS = 3
PEER = "faster-whisper transcribe, int8"


def main() -> None:
    """Measure both sides, and compare what they understood."""
    english = [recording for recording in recordings() if recording.language == "en"] * TIMES
    samples = joined([recording.samples for recording in english])
    clip = written("speech", samples)
    reference = " ".join(recording.text for recording in english)
    settings = load_settings(domains="transcription", policy="none", threads=THREADS)
    folder = weights(settings)
    texts: dict[str, str] = {}

    def kept(name: str, text: str) -> int:
        texts[name] = text
        return round(len(samples) / RATE)

    peers = {
        PEER: WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=THREADS),
        "faster-whisper transcribe, its own arithmetic": WhisperModel(str(folder), device="cpu", cpu_threads=THREADS),
    }
    batched = BatchedInferencePipeline(peers[PEER])
    one_by_one = settings.model_copy(update={"speakers": False})
    with Analyzer(settings) as with_speakers, Analyzer(one_by_one) as without:
        cases = [
            *(
                Case(name, lambda name=name, peer=peer: kept(name, said_by(peer.transcribe(str(clip))[0])))
                for name, peer in peers.items()
            ),
            Case(
                "faster-whisper BatchedInferencePipeline, int8, batch 8",
                lambda: kept("batched", said_by(batched.transcribe(str(clip), batch_size=8)[0])),
            ),
            Case("reelwarden", lambda: kept("reelwarden", said(without, clip))),
            Case("reelwarden, speakers too", lambda: kept("speakers", said(with_speakers, clip))),
        ]
        figures = compare(cases, PEER, REPEATS)
    rates = {name: round(word_edits(text, [reference]).rate, 4) for name, text in texts.items()}
    title = f"{len(samples) / RATE:.0f} s of speech, {THREADS} threads"
    write("transcription", __doc__ or "", {title: (PEER, figures)}, word_error_rate=rates)


def weights(settings: Settings) -> Path:
    """Return the folder of the default transcriber."""
    (spec,) = named(["whisper_base"], catalog())
    return ensure(spec, WeightPlaces(settings.model_dir, settings.cache)).parent


def said_by(segments) -> str:  # type: ignore[no-untyped-def]
    """Return the text of faster-whisper's segments; they are made while they are read."""
    return " ".join(segment.text for segment in segments)


def said(analyzer: Analyzer, clip: Path) -> str:
    """Return the text of a report."""
    part = analyzer.analyze(clip).domains["transcription"]
    assert isinstance(part, TranscriptionPart)
    return " ".join(segment.text for segment in part.segments)


if __name__ == "__main__":
    main()
