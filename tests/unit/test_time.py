"""Scores over time become spans."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_zoo.ops.time import Apart, SpanRule, moment_fields, most_missed_seconds, sample_ends, smooth, spans, within
from model_zoo.values import Prediction, Scores, Span

RULE = SpanRule(open_at=0.5, close_below=0.3)


def at_one_fps(*scores: float, rule: SpanRule = RULE, end_seconds: float | None = None) -> list[Span]:
    seconds = np.arange(len(scores), dtype=np.float64)
    end = float(len(scores)) if end_seconds is None else end_seconds
    return spans(seconds, np.array(scores, np.float32), rule, 1.0, end)


def times(found: list[Span]) -> list[tuple[float, float]]:
    return [(span.start_seconds, span.end_seconds) for span in found]


def test_a_span_lasts_until_the_next_sample() -> None:
    assert times(at_one_fps(0, 0.9, 0.9, 0, 0)) == [(1, 3)]


def test_a_span_knows_the_samples_that_carry_it_and_not_the_dips_between() -> None:
    (span,) = at_one_fps(0, 0.9, 0.1, 0.75, 0, 0, 0, rule=SpanRule(0.5, 0.3, merge_gap_seconds=2))
    fields = moment_fields(span)
    assert fields == {"frame_seconds": [1.0, 3.0], "frame_confidences": [0.9, 0.75]}
    assert span.frames == 2


def test_a_span_at_the_end_stops_where_the_media_stops() -> None:
    assert times(at_one_fps(0, 0, 0.9, end_seconds=2.4)) == [(2, 2.4)]


def test_a_span_is_carried_by_lower_scores_but_needs_a_high_one() -> None:
    assert times(at_one_fps(0.4, 0.4, 0.6, 0.4, 0.1)) == [(0, 4)]
    assert at_one_fps(0.4, 0.4, 0.4) == []


def test_peak_mean_and_frames_are_of_the_frames_that_carry_it() -> None:
    (span,) = at_one_fps(0, 0.4, 0.8, 0.1, 0.6, rule=SpanRule(0.5, 0.3, hold_seconds=1.5))
    assert (span.peak, span.peak_seconds, span.frames) == (pytest.approx(0.8), 2, 3)
    assert span.mean == pytest.approx(0.6)


def test_a_dip_shorter_than_the_hold_does_not_close_a_span() -> None:
    held = SpanRule(0.5, 0.3, hold_seconds=1.5)
    assert times(at_one_fps(0.9, 0, 0.4, rule=held)) == [(0, 3)]
    assert times(at_one_fps(0.9, 0, 0, 0.4, rule=held)) == [(0, 1)]


def test_near_spans_become_one() -> None:
    merged = SpanRule(0.5, 0.3, merge_gap_seconds=2)
    assert times(at_one_fps(0.9, 0, 0, 0.9, rule=merged)) == [(0, 4)]
    assert times(at_one_fps(0.9, 0, 0, 0, 0.9, rule=merged)) == [(0, 1), (4, 5)]


def test_short_spans_are_dropped() -> None:
    assert times(at_one_fps(0.9, 0, 0.9, 0.9, 0, rule=SpanRule(0.5, 0.3, min_seconds=2))) == [(2, 4)]


def test_a_still_image_has_a_span_without_length() -> None:
    rule = SpanRule(0.5, 0.3, min_seconds=2)
    (span,) = spans(np.array([0.0]), np.array([0.9], np.float32), rule, 1.0, 0.0)
    assert (span.start_seconds, span.end_seconds, span.frames) == (0, 0, 1)


def test_no_samples_give_no_spans() -> None:
    assert spans(np.empty(0), np.empty(0, np.float32), RULE, 1.0, 0.0) == []


def test_times_are_those_of_the_frames_where_the_rate_varies() -> None:
    seconds = np.array([0.0, 0.04, 0.08, 0.5, 0.54])
    (span,) = spans(seconds, np.array([0, 0, 0.9, 0.9, 0], np.float32), RULE, inf, 0.58)
    assert (span.start_seconds, span.end_seconds) == (0.08, 0.54)


def test_a_picture_that_stands_still_speaks_until_the_next_one() -> None:
    assert sample_ends(np.array([0.0, 1.0, 30.0]), inf, 32.0).tolist() == [1, 30, 32]
    assert sample_ends(np.array([0.0, 5.0, 10.0]), inf, 15.0).tolist() == [5, 10, 15]


def test_a_sample_does_not_speak_for_a_hole_where_frames_were_lost() -> None:
    assert sample_ends(np.array([0.0, 1.0, 30.0, 31.0]), 1.0, 60.0).tolist() == [1, 2, 31, 32]
    slow = np.array([0.0, 5.0, 10.0, 60.0, 65.0])
    assert sample_ends(slow, 1.0, 70.0).tolist() == [5, 10, 15, 65, 70]


def test_a_slide_is_up_for_as_long_as_it_is_shown_so_that_a_rule_of_seconds_meets_it() -> None:
    rule = SpanRule(0.5, 0.3, min_seconds=2)
    slides = np.array([0.0, 5.0, 10.0])
    assert times(spans(slides, np.array([0, 0.9, 0], np.float32), rule, inf, 15.0)) == [(5, 10)]
    assert times(spans(slides, np.array([0, 0, 0.9], np.float32), rule, inf, 15.0)) == [(10, 15)]


def test_a_thing_may_be_missed_in_one_sample_but_not_while_a_picture_stands_still() -> None:
    every = {gap: [Prediction(gap * number) for number in range(4)] for gap in (0.04, 1.0, 5.0)}
    assert most_missed_seconds(every[0.04], 0.001) == pytest.approx(0.06)
    assert most_missed_seconds(every[1.0], 1.0) == 1.5
    assert most_missed_seconds(every[5.0], 1.0) == 1.5
    assert most_missed_seconds(every[5.0], 5.0) == 7.5


def test_smoothing_averages_the_neighbours_within_the_window() -> None:
    seconds = np.array([0.0, 0.1, 0.2, 5.0])
    scores = np.array([0.0, 0.9, 0.0, 0.6], np.float32)
    assert smooth(seconds, scores, 0.3).tolist() == pytest.approx([0.45, 0.3, 0.45, 0.6])


def test_smoothing_takes_a_flicker_away() -> None:
    seconds = np.arange(20) / 10
    scores = np.zeros(20, np.float32)
    scores[7] = 0.9
    assert spans(seconds, scores, SpanRule(0.5, 0.3, smooth_seconds=0.5), 0.1, 2.0) == []


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.floats(0, 1, width=32), max_size=40),
    st.floats(0, 5),
    st.floats(0, 5),
    st.floats(0, 3),
)
def test_spans_are_ordered_apart_and_within_the_media(
    values: list[float], hold_seconds: float, merge_gap_seconds: float, min_seconds: float
) -> None:
    scores: Scores = np.array(values, np.float32)
    rule = SpanRule(0.5, 0.3, hold_seconds, merge_gap_seconds, min_seconds)
    found = spans(np.arange(len(values), dtype=np.float64), scores, rule, 1.0, float(len(values)))
    edges = [edge for span in found for edge in (span.start_seconds, span.end_seconds)]
    assert edges == sorted(edges)
    assert all(0 <= span.start_seconds < span.end_seconds <= len(values) for span in found)
    assert all(span.start_seconds <= span.peak_seconds < span.end_seconds for span in found)
    assert all(0.3 <= span.mean <= span.peak + 1e-6 and span.peak >= 0.5 for span in found)
    assert all(1 <= span.frames <= span.end_seconds - span.start_seconds for span in found)


def test_spans_at_some_time_are_found_among_those_that_do_not_overlap() -> None:
    apart = Apart([Span(start, end, start, 1.0, 1.0, 1) for start, end in ((0, 1), (3, 3), (5, 8))])
    assert list(apart.overlapping(1, 5)) == [1]
    assert list(apart.overlapping(0.5, 6)) == [0, 1, 2]
    assert list(apart.overlapping(1, 3)) == []
    assert list(apart.touching(1, 5)) == [0, 1, 2]
    assert list(apart.touching(8.1, 9)) == []


def test_the_samples_of_a_span_are_those_before_its_end_and_of_a_still_image_its_only_one() -> None:
    seconds = np.array([0.0, 1.0, 2.0, 3.0])
    assert seconds[within(seconds, Span(1.0, 3.0, 1.0, 1.0, 1.0, 2))].tolist() == [1.0, 2.0]
    assert seconds[within(seconds, Span(2.0, 2.0, 2.0, 1.0, 1.0, 1))].tolist() == [2.0]
