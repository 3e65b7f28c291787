"""From sound to sentences: cutting at pauses, packing, times, guards, sentences."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, field

import numpy as np
import pytest

from model_zoo.domain import Options
from model_zoo.transcription.hearing import Hearing
from model_zoo.transcription.pieces import Packer, Piece
from model_zoo.transcription.postprocess import main_language, segment, sentences
from model_zoo.transcription.stretches import LONGEST_SECONDS, SpeechCutter, Stretch
from model_zoo.transcription.words import SpokenWord, from_arrays
from model_zoo.values import Prediction, Samples
from tests.unit.transcription_fixtures import (
    RATE,
    STEP,
    LoudIsSpeech,
    Parrot,
    loaded,
    quiet,
    spoken_at,
    tone,
    windows_of,
    word,
)


@dataclass
class Heard:
    """What came of hearing a sound."""

    predictions: list[Prediction] = field(default_factory=list)
    parrot: Parrot = field(default_factory=Parrot)

    @property
    def words(self) -> list[SpokenWord]:
        """Return the words of all predictions."""
        return [word for prediction in self.predictions for word in from_arrays(prediction.arrays)]


USUAL = Options()


def heard(samples: Samples, parrot: Parrot | None = None, options: Options = USUAL, at_once: int = 4) -> Heard:
    result = Heard(parrot=parrot or Parrot())
    hearing = Hearing(loaded("silero_vad", LoudIsSpeech()), loaded("whisper_base", result.parrot), None, options)
    for windows in windows_of(samples, at_once):
        result.predictions += hearing.hear(windows)
    result.predictions += hearing.finish()
    return result


def cut(samples: Samples, steps_at_once: int = 100) -> list[tuple[float, float]]:
    """Return start and end of the stretches in seconds."""
    cutter = SpeechCutter(RATE, STEP)
    speech = np.abs(samples[: len(samples) // STEP * STEP]).reshape(-1, STEP).mean(axis=1) > 0.05
    found: list[Stretch] = []
    for first in range(0, len(speech), steps_at_once):
        part = slice(first * STEP, (first + steps_at_once) * STEP)
        found += cutter.add(samples[part], speech[first : first + steps_at_once].astype(np.float32))
    found += cutter.finish()
    return [(one.start / RATE, (one.start + len(one.samples)) / RATE) for one in found]


@pytest.mark.parametrize("steps_at_once", [1, 7, 100, 10_000])
def test_speech_is_cut_at_its_pauses_however_it_comes(steps_at_once: int) -> None:
    sound = np.concatenate([quiet(3), tone(2), quiet(1), tone(4), quiet(0.3), tone(1), quiet(5)])
    (first, second) = cut(sound, steps_at_once)
    assert first == pytest.approx((2.8, 5.2), abs=0.05)
    assert second == pytest.approx((5.8, 11.5), abs=0.05)  # 0.3 s are no pause


def test_a_click_is_no_speech() -> None:
    assert cut(np.concatenate([quiet(2), tone(0.05), quiet(2)])) == []


def test_speech_without_a_pause_is_cut_before_it_is_too_long_and_nothing_is_lost() -> None:
    found = cut(tone(100))
    assert all(end - start <= LONGEST_SECONDS for start, end in found)
    assert found[0][0] == 0
    assert found[-1][1] == pytest.approx(100, abs=0.1)
    assert [end for _, end in found[:-1]] == [start for start, _ in found[1:]]


def test_speech_without_a_pause_is_cut_at_the_shortest_breath_there_is() -> None:
    (first, _) = cut(np.concatenate([tone(20), quiet(0.2), tone(15)]))
    assert first[1] == pytest.approx(20.1, abs=0.1)


def test_words_get_the_times_of_the_media_though_pauses_were_left_out() -> None:
    piece = Piece((Stretch(10 * RATE, tone(2)), Stretch(50 * RATE, tone(3))), RATE)
    times = piece.in_media(np.array([[0.5, 1.0], [1.5, 2.2], [2.1, 2.5], [4.5, 5.4]]))
    np.testing.assert_allclose(times, [[10.5, 11], [11.5, 12], [50.1, 50.5], [52.5, 53]])


def test_pieces_hold_as_much_speech_as_fits_into_the_window_of_the_network() -> None:
    packer = Packer(RATE, 30 * RATE)
    pieces = [piece for n in range(7) for piece in packer.add(Stretch(n * 20 * RATE, tone(9)))] + packer.finish()
    assert [len(piece.stretches) for piece in pieces] == [3, 3, 1]
    assert packer.finish() == []


def test_every_window_is_answered_and_the_rest_comes_at_the_end() -> None:
    result = heard(np.concatenate([tone(5), quiet(20), tone(3)]))
    assert [row.seconds for row in result.predictions] == pytest.approx([0, 9.6, 19.2, 28.0])
    assert [row.scores.get("speech") for row in result.predictions] == [1, 0, 1, None]
    assert [round(word.start_seconds) for word in result.words] == [0, 1, 2, 3, 4, 25, 26, 27]


def test_sound_in_two_windows_is_heard_once() -> None:
    result = heard(tone(27))
    assert result.parrot.asked[0]["filled"].sum() == 27 * RATE


@pytest.mark.parametrize("at_once", [1, 3, 6])
def test_the_number_of_windows_at_a_time_changes_nothing(at_once: int) -> None:
    sound = np.concatenate([part for n in range(30) for part in (tone(1 + n % 5), quiet(0.6 + n % 3))])
    assert heard(sound, at_once=at_once).words == heard(sound).words


def test_nothing_is_asked_of_the_transcriber_where_nobody_speaks() -> None:
    result = heard(quiet(60))
    assert result.parrot.asked == []
    assert result.words == []


@pytest.mark.parametrize(
    "parrot",
    [Parrot(no_speech=0.9, log_probability=-1.4), Parrot(repetition=3.0)],
    ids=["noise", "going round in circles"],
)
def test_words_that_nobody_said_are_dropped(parrot: Parrot) -> None:
    assert heard(tone(5), parrot).words == []


@pytest.mark.parametrize("parrot", [Parrot(no_speech=0.9), Parrot(log_probability=-1.4)])
def test_words_are_kept_unless_both_signs_say_noise(parrot: Parrot) -> None:
    assert len(heard(tone(5), parrot).words) == 5


def test_the_language_of_the_speech_so_far_is_told_to_the_network_where_it_is_sure_of_it() -> None:
    speech = np.concatenate([part for _ in range(12) for part in (tone(25), quiet(1))])
    asked = heard(speech, Parrot(language="fr")).parrot.asked
    assert [set(row["usual_language"]) for row in asked] == [{""}, {"fr"}]
    assert [row["usual_seconds"].max() for row in asked] == [0, pytest.approx(8 * 25.3, abs=3)]
    unsure = heard(speech, Parrot(language="fr", confidence=0.3)).parrot.asked
    assert [set(row["usual_language"]) for row in unsure] == [{""}, {""}]


def test_rows_of_several_files_can_be_told_apart() -> None:
    speech = np.concatenate([part for _ in range(12) for part in (tone(25), quiet(1))])
    first, second = ({number for row in heard(speech).parrot.asked for number in row["file_number"]} for _ in "12")
    assert len(first) == len(second) == 1
    assert first != second


def test_a_language_that_is_set_is_asked_for() -> None:
    assert set(heard(tone(3), options=Options(language="de")).parrot.asked[0]["language"]) == {"de"}


def test_as_many_readings_are_weighed_as_was_set() -> None:
    assert heard(tone(3), options=Options(beam_size=5)).parrot.asked[0]["beam_size"].tolist() == [5]


def test_an_hour_of_speech_takes_no_more_memory_than_its_batch() -> None:
    minute = np.concatenate([part for _ in range(3) for part in (tone(18), quiet(2))])
    hearing = Hearing(loaded("silero_vad", LoudIsSpeech()), loaded("whisper_base", Parrot()), None, Options())
    words, window = 0, next(windows_of(minute))
    tracemalloc.start()
    try:
        for batch in range(100):  # of 4 windows, a little more than an hour
            seconds = (np.arange(4) + 4 * batch) * 9.6
            rows = hearing.hear(type(window)(window.samples, seconds, window.filled, RATE))
            words += sum(len(from_arrays(row.arrays)) for row in rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert words > 2500
    assert peak < 80e6  # 230 MB would be the hour itself


def test_a_sentence_ends_at_its_sign_at_a_pause_and_where_the_language_changes() -> None:
    words = [
        *spoken_at(" Mr.", " Smith", " came.", " He", " saw"),
        word(" us", 9.0, 9.5),
        word(" vite", 9.5, 9.9, "fr"),
    ]
    said = [[one.text.strip() for one in sentence] for sentence in sentences(words)]
    assert said == [["Mr.", "Smith", "came."], ["He", "saw"], ["us"], ["vite"]]


def test_a_sentence_that_goes_on_is_cut_at_its_longest_pause() -> None:
    words = [word(f" w{n}", n + 0.5 * (n >= 20), n + 0.9 + 0.5 * (n >= 20)) for n in range(30)]
    assert [len(sentence) for sentence in sentences(words)] == [20, 10]


def test_a_segment_says_its_text_as_it_was_written_and_ends_with_the_sound() -> None:
    found = segment([word(" 你", 1.0, 1.5), word("好。", 1.5, 3.2)], "speaker-1", end_seconds=3.0)
    assert found.text == "你好。"
    assert [(one.text, one.start_seconds, one.end_seconds) for one in found.words] == [("你", 1, 1.5), ("好。", 1.5, 3)]
    assert {one.speaker for one in found.words} == {"speaker-1"}
    assert found.end_seconds == 3.0


def test_the_language_is_that_of_most_of_the_speech() -> None:
    assert main_language([word("a", 0, 1, "de"), word("b", 1, 3, "en")]) == ("en", 0.95)
    assert main_language([]) == (None, None)
