"""What transcription invents where nobody speaks, and how well it tells speakers apart.

    python -m benchmarks.transcription_quality

Needs the folder of richer test media (REELWARDEN_TEST_MEDIA). Speakers: made-up conversations of one to four of the
people in the recordings, 16 turns of 1 to 5 seconds each, cut out of their recordings at random. Writes the figures to
model_zoo/transcription/measured.json and into the card.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
from faster_whisper.audio import decode_audio
from numpy.typing import NDArray

from benchmarks import measured
from benchmarks.measured import figure
from benchmarks.media_sets import RICH_MEDIA
from benchmarks.speech import RATE, Samples, joined, recordings, written
from model_zoo.transcription.schema import TranscriptionPart
from serve.pipeline import Analyzer
from serve.settings import load_settings

DOMAIN = "transcription"
SOURCE = "python -m benchmarks.transcription_quality"
SECONDS = 40
EVENTS = ("applause.flac", "crowd_cheering.flac", "dog_bark.wav", "thunder.flac", "typing.flac")
CONVERSATIONS, TURNS, MOST_PEOPLE = 20, 16, 4
TURN_SECONDS = (1.0, 5.0)
PEOPLE = {
    "speech/jfk": "Kennedy",
    "speech/librivox": "reader of Austen",
    "speech/LJ": "Linda Johnson",
    "speech/asterisk_en": "Allison Smith",
    "speech/asterisk_fr": "June Wallack",
    "speech/asterisk_it": "Carlo Flora",
    "speech/asterisk_ru": "Maxim Topal",
}

Noises = dict[str, Samples]


def noises() -> Noises:
    """Return sounds in which nobody speaks, 40 s each: made ones, and recorded ones repeated."""
    random = np.random.default_rng(5)
    time = np.arange(SECONDS * RATE) / RATE
    found: dict[str, NDArray[np.floating[Any]]] = {
        "silence": 0 * time,
        "quiet noise": 0.05 * random.standard_normal(len(time)),
        "loud noise": 0.5 * random.standard_normal(len(time)),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * time),
        "chords": sum(np.sin(2 * np.pi * pitch * time) for pitch in (220, 277, 330, 440)) * 0.1,
        "melody": melody(time, random),
    }
    for name in EVENTS:
        sound = decode_audio(str(RICH_MEDIA / "audio_events" / name), RATE)
        found[name] = np.resize(sound, len(time))
    return {name: sound.astype(np.float32) for name, sound in found.items()}


def melody(time: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Return plucked notes with overtones, two a second."""
    pitch = np.repeat(random.choice([220, 247, 262, 294, 330, 349, 392, 440], 2 * SECONDS), RATE // 2)
    within = time % 0.5
    notes: NDArray[np.float64] = sum(np.sin(2 * np.pi * pitch * k * within) / k for k in range(1, 12))
    return 0.2 * notes * np.exp(-2 * within)


def invented(analyzer: Analyzer) -> int:
    """Return how many words are heard where nobody speaks."""
    return sum(
        len(segment.words)
        for name, sound in noises().items()
        for segment in part_of(analyzer, f"noise_{name.split('.')[0]}", sound).segments
    )


def part_of(analyzer: Analyzer, name: str, sound: Samples) -> TranscriptionPart:
    """Return what the domain says of a sound."""
    part = analyzer.analyze(written(name, sound)).domains[DOMAIN]
    assert isinstance(part, TranscriptionPart)
    return part


def voices() -> dict[str, list[Samples]]:
    """Return the recordings of each person."""
    found: dict[str, list[Samples]] = {}
    for recording in recordings():
        for prefix, person in PEOPLE.items():
            if recording.name.startswith(prefix):
                found.setdefault(person, []).append(recording.samples)
    return found


def conversation(random: np.random.Generator, people: dict[str, list[Samples]]) -> tuple[Samples, list[Any]]:
    """Return a made-up conversation and its turns: start, end and person."""
    names = random.choice(list(people), int(random.integers(1, MOST_PEOPLE + 1)), replace=False)
    parts, turns, at = [], [], 0.0
    for _ in range(TURNS):
        person = str(random.choice(names))
        sound = people[person][int(random.integers(len(people[person])))]
        size = min(len(sound), round(random.uniform(*TURN_SECONDS) * RATE))
        start = int(random.integers(len(sound) - size + 1))
        parts.append(sound[start : start + size])
        turns.append((at, at + size / RATE, person))
        at += size / RATE + 0.7
    return joined(parts), turns


def wrong_and_all(part: TranscriptionPart, turns: list[Any]) -> tuple[float, float]:
    """Return the seconds of words that the best naming of the speakers gives to another, and of all words."""
    people = sorted({person for _, _, person in turns})
    ids = sorted({word.speaker for segment in part.segments for word in segment.words if word.speaker})
    seconds = np.zeros((max(len(ids), len(people)), len(people)))
    for segment in part.segments:
        for word in segment.words:
            middle = (word.start_seconds + word.end_seconds) / 2
            person = next((who for start, end, who in turns if start - 0.2 <= middle <= end + 0.2), None)
            if person and word.speaker:
                seconds[ids.index(word.speaker), people.index(person)] += word.end_seconds - word.start_seconds
    if len(seconds) > 7:
        return float(seconds.sum() - seconds.max(axis=1).sum()), float(seconds.sum())
    right = max(
        sum(seconds[row, column] for column, row in enumerate(rows))
        for rows in permutations(range(len(seconds)), len(people))
    )
    return float(seconds.sum() - right), float(seconds.sum())


def measure() -> measured.Figures:
    """Return the figures by model."""
    random, people = np.random.default_rng(1), voices()
    seconds, counts = [], []
    with Analyzer(load_settings(domains=DOMAIN, policy="none")) as analyzer:
        words = invented(analyzer)
        for number in range(CONVERSATIONS):
            sound, turns = conversation(random, people)
            part = part_of(analyzer, f"conversation_{number}", sound)
            seconds.append(wrong_and_all(part, turns))
            counts.append(len(part.speakers or []) - len({person for _, _, person in turns}))
    wrong, said = np.sum(seconds, axis=0)
    silence = f"{len(noises())} sounds of {SECONDS} s without speech"
    data = f"{CONVERSATIONS} made-up conversations of 1 to {MOST_PEOPLE} of {len(people)} people"
    return {
        "whisper_base": [figure("words invented", words, silence, source=SOURCE)],
        "speaker_ge2e": [
            figure("share of words with another's speaker", wrong / said, data, source=SOURCE),
            figure(
                "conversations with the right number of speakers",
                float(np.mean(np.equal(counts, 0))),
                data,
                source=SOURCE,
            ),
            figure("conversations with too many", float(np.mean(np.greater(counts, 0))), data, source=SOURCE),
        ],
    }


def main() -> None:
    """Measure, and write the figures down."""
    measured.write(DOMAIN, measure(), SOURCE)
    print(measured.measured_path(DOMAIN).read_text("utf-8"))


if __name__ == "__main__":
    main()
