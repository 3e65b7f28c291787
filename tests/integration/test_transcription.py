"""Speech on real weights: what is said is understood, who says it is told apart, and nothing is invented."""

from __future__ import annotations

import wave
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from faster_whisper.audio import decode_audio

from model_zoo.catalog import catalog, named
from model_zoo.errors import BackendError, UsageError
from model_zoo.metrics.words import word_edits
from model_zoo.transcription.schema import TranscriptionPart
from model_zoo.values import Samples, Tensors
from model_zoo.weights import WeightPlaces, ensure
from serve.backends.ctranslate2 import Ctranslate2Model
from serve.pipeline import Analyzer
from serve.settings import load_settings
from tests.conftest import MEDIA

pytestmark = pytest.mark.weights

RATE = 16_000
SPEECH = MEDIA / "speech"


@pytest.fixture(scope="module")
def listener() -> Iterator[Analyzer]:
    with Analyzer(load_settings(domains="transcription", policy="none")) as analyzer:
        yield analyzer


@pytest.fixture(scope="module")
def whisper() -> Ctranslate2Model:
    settings = load_settings()
    (spec,) = named(["whisper_base"], catalog())
    path = ensure(spec, WeightPlaces(settings.model_dir, settings.cache))
    return Ctranslate2Model(spec, path, "cpu", "int8", 2)


def heard(analyzer: Analyzer, path: Path) -> TranscriptionPart:
    report = analyzer.analyze(path)
    assert report.errors == []
    part = report.domains["transcription"]
    assert isinstance(part, TranscriptionPart)
    return part


def text_of(part: TranscriptionPart) -> str:
    return " ".join(segment.text for segment in part.segments)


def written(path: Path, samples: Samples) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def asked(*sounds: Samples, language: str = "", files: Sequence[int] = ()) -> Tensors:
    waveform = np.zeros((len(sounds), 30 * RATE), np.float32)
    for row, sound in zip(waveform, sounds, strict=True):
        row[: len(sound)] = sound
    return {
        "waveform": waveform,
        "filled": np.array([len(sound) for sound in sounds]),
        "language": np.full(len(sounds), language, "U3"),
        "file_number": np.array(files or [0] * len(sounds)),
        "usual_language": np.full(len(sounds), "", "U3"),
        "usual_seconds": np.zeros(len(sounds)),
        "beam_size": np.full(len(sounds), 2),
    }


@pytest.mark.parametrize("name", ["librivox_0870", "librivox_0890", "librivox_0930"])
def test_a_reader_is_understood_to_the_word(listener: Analyzer, name: str) -> None:
    part = heard(listener, SPEECH / f"{name}.wav")
    reference = (SPEECH / f"{name}.txt").read_text("utf-8")
    assert word_edits(text_of(part), [reference, reference.replace("mister", "mr")]).edits == 0
    assert part.language == "en"
    assert part.language_confidence > 0.9
    assert len(part.segments) == 1
    assert part.segments[0].mean_confidence > 0.85


def test_a_threat_in_a_made_voice_is_understood(listener: Analyzer) -> None:
    said = text_of(heard(listener, SPEECH / "synthetic_rude_en.wav")).lower()
    assert all(words in said for words in ("stupid idiot", "shut up", "i hate you"))


def test_words_are_in_order_and_where_the_speech_is(listener: Analyzer, tmp_path: Path) -> None:
    himself, unless = (decode_audio(str(SPEECH / f"librivox_{number}.wav")) for number in ("0930", "0890"))
    quiet = np.zeros(20 * RATE, np.float32)
    part = heard(listener, written(tmp_path / "late.wav", np.concatenate([quiet, himself, quiet, unless])))
    first, second = part.segments
    assert word_edits(first.text, [(SPEECH / "librivox_0930.txt").read_text("utf-8")]).edits == 0
    assert word_edits(second.text, [(SPEECH / "librivox_0890.txt").read_text("utf-8")]).edits == 0
    assert 19.7 <= first.start_seconds < 20.6
    assert 39.7 <= second.start_seconds - len(himself) / RATE < 40.6
    for segment, end_seconds in ((first, 20 + len(himself) / RATE), (second, 40 + (len(himself) + len(unless)) / RATE)):
        assert end_seconds - 1.0 < segment.end_seconds <= end_seconds
        assert segment.text.replace(" ", "") == "".join(word.text for word in segment.words)
        edges = [edge for word in segment.words for edge in (word.start_seconds, word.end_seconds)]
        assert edges == sorted(edges)


def test_the_end_of_a_sound_longer_than_a_batch_is_heard(listener: Analyzer, tmp_path: Path) -> None:
    speech = [decode_audio(str(path)) for path in sorted(SPEECH.glob("librivox_*.wav"))]
    once = np.concatenate([part for sound in speech for part in (sound, np.zeros(RATE, np.float32))])
    part = heard(listener, written(tmp_path / "long.wav", np.tile(once, 4)))
    reference = " ".join(path.read_text("utf-8") for path in sorted(SPEECH.glob("librivox_*.txt")))
    assert word_edits(text_of(part), [" ".join([reference.replace("mister", "mr")] * 4)]).rate < 0.03
    assert part.segments[-1].end_seconds > 4 * len(once) / RATE - 2.5
    assert [speaker.id for speaker in part.speakers or []] == ["speaker-1"]


def test_three_voices_are_three_speakers(listener: Analyzer) -> None:
    part = heard(listener, MEDIA / "demo.mp4")
    by_text = {segment.text: segment.speaker for segment in part.segments}
    austen = {name for text, name in by_text.items() if "disposed" in text or "amiable" in text}
    rude = {name for text, name in by_text.items() if text in {"You stupid idiot!", "Shut up!", "I hate you!"}}
    assert len(austen) == len(rude) == 1
    assert austen != rude
    assert {word.speaker for segment in part.segments for word in segment.words} == set(by_text.values())
    assert [speaker.id for speaker in part.speakers or []] == ["speaker-1", "speaker-2", "speaker-3"]


@pytest.mark.parametrize("setting", ["speakers", "biometrics"])
def test_speakers_are_not_told_apart_where_that_is_not_wanted(setting: str) -> None:
    with Analyzer(load_settings(domains="transcription", **{setting: False})) as analyzer:
        part = heard(analyzer, SPEECH / "librivox_0930.wav")
    assert part.speakers is None
    assert {segment.speaker for segment in part.segments} == {None}


@pytest.mark.parametrize("sound", ["silence", "noise", "tone", "melody"])
def test_no_text_is_invented_where_nobody_speaks(listener: Analyzer, tmp_path: Path, sound: str) -> None:
    random, time = np.random.default_rng(5), np.arange(35 * RATE) / RATE
    pitch = np.repeat(random.choice([220, 247, 262, 294, 330, 392], 70), RATE // 2)
    samples = {
        "silence": np.zeros(len(time)),
        "noise": 0.3 * random.standard_normal(len(time)),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * time),
        "melody": sum(0.2 / k * np.sin(2 * np.pi * pitch * k * (time % 0.5)) for k in range(1, 12))
        * np.exp(-2 * (time % 0.5)),
    }[sound]
    part = heard(listener, written(tmp_path / f"{sound}.wav", np.float32(samples)))
    assert part.segments == []
    assert part.language is None
    assert part.speakers == []
    assert part.coverage[0].grade == "trained classifier"  # it was heard: there is nothing in it


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("eng", "language='eng': whisper_base does not know it; it knows 99 languages, such as en, es, fr"),
        ("yue", "language='yue': whisper_base does not know it"),
    ],
)
def test_a_language_that_the_model_does_not_know_is_refused_before_any_file(language: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Analyzer(load_settings(domains="transcription", language=language))


def test_a_language_is_no_matter_to_domains_that_hear_no_speech() -> None:
    with Analyzer(load_settings(domains="sounds", language="eng", policy="none")) as analyzer:
        assert analyzer.analyze(SPEECH / "librivox_0930.wav").errors == []


def test_a_language_that_is_set_is_not_looked_for(whisper: Ctranslate2Model) -> None:
    sound = decode_audio(str(SPEECH / "librivox_0880.wav"))
    answer = whisper.run(asked(sound, language="de"))
    assert answer["language"].tolist() == ["de"]
    assert answer["language_confidence"].tolist() == [1.0]


@pytest.mark.media
def test_a_piece_that_is_unsure_is_in_the_language_of_its_own_file(whisper: Ctranslate2Model, rich_media: Path) -> None:
    digits = decode_audio(str(rich_media / "speech" / "asterisk_es_digits_1-10.flac"))
    share = len(digits) // 10
    noisy = digits[7 * share : 8 * share] + 0.1 * np.random.default_rng(0).standard_normal(share).astype(np.float32)
    russian = decode_audio(str(rich_media / "speech" / "asterisk_ru_digits_1-10.flac"))
    alone = whisper.run(asked(noisy))
    assert alone["language"].tolist() != ["es"]
    assert alone["language_confidence"][0] < 0.5
    for files, language in (((4, 4, 5), "es"), ((4, 5, 5), "ru"), ((4, 6, 5), alone["language"][0])):
        together = whisper.run(asked(digits, noisy, russian, files=files))
        assert together["language"].tolist() == ["es", language, "ru"]
        assert together["language_confidence"][1] < 0.5


def test_rows_are_understood_together_as_they_are_alone(whisper: Ctranslate2Model) -> None:
    sounds = [decode_audio(str(SPEECH / f"librivox_{number}.wav")) for number in ("0880", "0930")]
    together = whisper.run(asked(*sounds, np.zeros(RATE, np.float32)))
    for row, sound in enumerate(sounds):
        alone = whisper.run(asked(sound))
        said = alone["words"][0].tolist()
        assert together["words"][row].tolist()[: len(said)] == said
        np.testing.assert_allclose(together["word_times"][row, : len(said)], alone["word_times"][0], atol=0.03)
        assert together["words"][row].tolist()[len(said) :] == [""] * (together["words"].shape[1] - len(said))


def test_what_the_model_does_not_take_is_named(whisper: Ctranslate2Model) -> None:
    good = asked(np.zeros(RATE, np.float32))
    with pytest.raises(BackendError, match=r"takes float32 \(N, 480000\)"):
        whisper.run({**good, "waveform": np.zeros((1, RATE), np.float32)})
    with pytest.raises(BackendError, match="also takes the inputs usual_language"):
        whisper.run({name: rows for name, rows in good.items() if name != "usual_language"})
    with pytest.raises(BackendError, match="does not know the language xx"):
        whisper.run({**good, "language": np.array(["xx"])})


@pytest.mark.media
@pytest.mark.parametrize(
    "name", ["applause.flac", "crowd_cheering.flac", "dog_bark.wav", "thunder.flac", "typing.flac"]
)
def test_no_text_is_invented_on_everyday_sounds(listener: Analyzer, rich_media: Path, name: str) -> None:
    assert heard(listener, rich_media / "audio_events" / name).segments == []


@pytest.mark.media
@pytest.mark.parametrize("language", ["es", "fr", "it", "ru"])
def test_the_language_is_found_out(listener: Analyzer, rich_media: Path, language: str) -> None:
    part = heard(listener, rich_media / "speech" / f"asterisk_{language}_digits_1-10.flac")
    assert part.language == language
    assert {segment.language for segment in part.segments} == {language}


@pytest.mark.media
def test_a_president_is_understood(listener: Analyzer, rich_media: Path) -> None:
    part = heard(listener, rich_media / "speech" / "jfk.flac")
    reference = (
        "And so my fellow Americans ask not what your country can do for you ask what you can do for your country"
    )
    assert word_edits(text_of(part), [reference]).rate <= 0.1
