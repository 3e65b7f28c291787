"""Who speaks when: voices in one file are grouped, and named in the order in which they speak."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from model_zoo.transcription.schema import SpeechSegment
from model_zoo.transcription.speakers import ALIKE, cluster, said_by, speakers_of, tell_apart
from model_zoo.transcription.stretches import Stretch
from model_zoo.transcription.voices import hear_voices
from model_zoo.transcription.words import SpokenWord
from model_zoo.values import Tensors
from tests.unit.transcription_fixtures import RATE, PitchIsVoice, loaded, tone, word


def voices(*who: int, noise: float = 0.02, size: int = 64) -> np.ndarray:
    """Return a voice of each of these people, (N, size)."""
    random = np.random.default_rng(4)
    people = np.abs(random.normal(0, 1, (max(who) + 1, size))) ** 3
    found = people[list(who)] / np.linalg.norm(people[list(who)], axis=1, keepdims=True)
    found += random.normal(0, noise, found.shape)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def sentence(start_seconds: float, end_seconds: float) -> list[SpokenWord]:
    return [word(" Yes.", start_seconds, end_seconds)]


def heard(times: list[tuple[float, float]], rows: np.ndarray) -> list[Tensors]:
    return [{"voice_times": np.array(times), "voices": rows}, {}]


def test_voices_of_one_person_are_one_group() -> None:
    who = (0, 1, 0, 2, 1, 1, 0, 2)
    assert cluster(voices(*who), np.ones(len(who))).tolist() == [0, 1, 0, 2, 1, 1, 0, 2]


def test_more_voices_than_are_compared_at_once_give_the_same_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    who = tuple(np.random.default_rng(1).integers(0, 3, 50).tolist())
    whole = cluster(voices(*who), np.ones(50))
    monkeypatch.setattr("model_zoo.transcription.speakers.MOST_AT_ONCE", 8)
    np.testing.assert_array_equal(whole, cluster(voices(*who), np.ones(50)))


def test_a_thousand_short_remarks_in_a_crowd_are_told_apart_in_time() -> None:
    own = np.random.default_rng(3).normal(0, 1, (1_200, 256))
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    crowd = np.sqrt(0.6) * np.eye(256)[0] + np.sqrt(0.4) * own  # all in one noise: alike, but not as one voice is
    sentences = [sentence(2.0 * n, 2.0 * n + 1.5) for n in range(len(crowd))]
    times = [(2.0 * n, 2.0 * n + 1.6) for n in range(len(crowd))]
    start_seconds = time.monotonic()
    names = tell_apart(sentences, heard(times, crowd.astype(np.float32)))
    assert time.monotonic() - start_seconds < 30
    assert None not in names
    assert len(set(names)) < 10


def test_one_voice_is_one_speaker_and_no_voice_is_none() -> None:
    assert tell_apart([sentence(0, 2)], heard([(0, 1.6)], voices(0))) == ["speaker-1"]
    assert tell_apart([sentence(0, 2)], [{}]) == [None]
    assert tell_apart([], heard([(0, 1.6)], voices(0))) == []


def test_speakers_are_numbered_in_the_order_of_their_first_word() -> None:
    sentences = [sentence(n * 3, n * 3 + 2) for n in range(4)]
    times = [(n * 3, n * 3 + 1.6) for n in range(4)]
    assert tell_apart(sentences, heard(times, voices(2, 0, 2, 1))) == [
        "speaker-1",
        "speaker-2",
        "speaker-1",
        "speaker-3",
    ]


def test_a_short_word_is_given_to_the_nearest_voice_and_founds_no_speaker() -> None:
    sentences = [sentence(0, 2), sentence(3, 5), sentence(6, 6.4)]
    rows = np.concatenate([voices(0, 1), voices(1, noise=0.15)])
    assert float(rows[2] @ rows[1]) < ALIKE
    names = tell_apart(sentences, heard([(0, 1.6), (3, 4.6), (5.8, 6.6)], rows))
    assert names == ["speaker-1", "speaker-2", "speaker-2"]


def test_a_voice_across_two_sentences_counts_for_that_in_which_it_is_longer() -> None:
    sentences = [sentence(0, 2), sentence(2, 4)]
    times = [(0, 1.6), (0.8, 2.4), (2.2, 3.8)]
    assert tell_apart(sentences, heard(times, voices(0, 0, 1))) == ["speaker-1", "speaker-2"]


def test_a_sentence_is_cut_where_somebody_else_goes_on_after_a_breath_and_nowhere_else() -> None:
    words = [word(" Yes,", 0, 2), word(" well", 2.8, 4.5), word(" no,", 4.6, 6), word(" no.", 7, 9)]
    times = [(0, 1.6), (2.8, 4.4), (4.4, 6), (7, 8.6)]
    parts = list(said_by([words], heard(times, voices(0, 1, 1, 1))))
    assert parts == [(words[:1], "speaker-1"), (words[1:], "speaker-2")]
    assert list(said_by([words], [{}])) == [(words, None)]


def test_a_few_seconds_of_a_voice_that_is_not_quite_another_found_no_speaker() -> None:
    rows = voices(0, 1, 0, 1, 0, 1, 2)
    stranger, first = rows[-1].copy(), rows[0]
    aside = stranger - (stranger @ first) * first
    rows[-1] = 0.69 * first + 0.72 * aside / np.linalg.norm(aside)  # a cosine of 0.69: not alike enough for one person
    sentences = [sentence(n * 3, n * 3 + 2) for n in range(7)]
    times = [(n * 3, n * 3 + 2) for n in range(7)]
    assert tell_apart(sentences, heard(times, rows))[-1] == "speaker-1"
    rows[-1] = stranger
    assert tell_apart(sentences, heard(times, rows))[-1] == "speaker-3"


def test_windows_of_a_voice_reach_to_the_end_of_the_speech() -> None:
    arrays = hear_voices(
        [Stretch(5 * RATE, tone(4.0)), Stretch(20 * RATE, tone(0.5))], loaded("speaker_ge2e", PitchIsVoice())
    )
    times = arrays["voice_times"]
    assert times[0, 0] == 5
    assert times[-2, 1] == 9
    assert times[-1].tolist() == [20, 20.5]
    assert all(after[0] <= before[1] for before, after in pairwise(times[:-1].tolist()))
    assert len(arrays["voices"]) == len(times)


def test_the_report_lists_who_speaks_for_how_long() -> None:
    def said(speaker: str | None, start: float, end: float) -> SpeechSegment:
        return SpeechSegment(
            start_seconds=start, end_seconds=end, peak_seconds=start, peak_confidence=0.9, mean_confidence=0.8,
            frames=1, text="Yes.", language="en", speaker=speaker,
        )  # fmt: skip

    first, second = speakers_of(
        [said("speaker-1", 0, 2), said("speaker-2", 2, 3), said("speaker-1", 5, 9), said(None, 9, 10)]
    )
    assert (first.id, first.seconds_of_speech, first.first_heard_seconds, first.last_heard_seconds) == (
        "speaker-1",
        6,
        0,
        9,
    )
    assert (second.id, second.seconds_of_speech) == ("speaker-2", 1)
