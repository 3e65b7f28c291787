"""Metrics against values worked out by hand, and against those that others publish."""

from __future__ import annotations

import numpy as np
import pytest

from model_zoo.metrics.cuts import cut_counts
from model_zoo.metrics.detection import Found, Picture, Truth, average_precision, mean_average_precision
from model_zoo.metrics.scores import Counts, calibration_error, counts_at, roc_auc
from model_zoo.metrics.verification import verification
from model_zoo.metrics.words import Edits, character_edits, together, word_edits, words_of


@pytest.mark.parametrize(
    ("said", "right", "edits", "length"),
    [
        ("the cat sat", "the cat sat", 0, 3),
        ("The cat sat!", "the cat, sat", 0, 3),
        ("the cat", "the cat sat", 1, 3),
        ("a cat sat down", "the cat sat", 2, 3),
        ("", "the cat sat", 3, 3),
        ("don’t stop", "Don't stop.", 0, 2),
        ("well-known", "well known", 0, 2),
        ("два три", "Два, три", 0, 2),
        ("मैं हिन्दू बोलती हैं", "मैं हिन्दी बोलता हूँ", 3, 4),  # vowel signs are part of a word
        ("我会说中义", "我会说中文", 1, 5),  # no spaces: a character is a word
        ("สวัสดีครับ", "สวัสดีครับ!", 0, 7),
    ],
)
def test_word_errors_are_insertions_removals_and_replacements(said: str, right: str, edits: int, length: int) -> None:
    assert word_edits(said, [right]) == Edits(edits, length)


def test_the_nearest_of_several_right_texts_counts() -> None:
    assert word_edits("1 2 3", ["one two three", "1 2 3"]).rate == 0.0


def test_many_words_where_none_are_right_give_a_rate_above_one() -> None:
    assert word_edits("so many words", ["no"]).rate == 3.0
    assert words_of("-- ' _ '' ") == []


def test_rates_of_several_texts_weigh_long_ones_more() -> None:
    assert together([Edits(1, 2), Edits(0, 8)]).rate == pytest.approx(0.1)


def test_character_errors_keep_case_and_punctuation() -> None:
    assert character_edits("Hello  World", ["Hello World."]) == Edits(1, 12)
    assert character_edits("hello", ["HELLO", "Hello"]) == Edits(1, 5)


def test_the_area_under_the_curve_of_a_textbook_example() -> None:
    # 3 of the 4 pairs of a positive and a negative are in the right order
    assert roc_auc([0.1, 0.4, 0.35, 0.8], [False, False, True, True]) == 0.75
    assert roc_auc([0.9, 0.8, 0.1], [True, True, False]) == 1.0
    assert roc_auc([0.5, 0.5, 0.5], [True, False, False]) == 0.5
    assert roc_auc([0.5, 0.5], [True, True]) is None


def test_the_area_under_the_curve_is_the_share_of_pairs_in_the_right_order() -> None:
    random = np.random.default_rng(7)
    scores, truths = np.round(random.random(200), 1), random.random(200) < 0.3
    pairs = [(a > b) + (a == b) / 2 for a in scores[truths] for b in scores[~truths]]
    assert roc_auc(scores.tolist(), truths.tolist()) == pytest.approx(np.mean(pairs))


def test_scores_are_calibrated_where_as_many_are_right_as_they_say() -> None:
    assert calibration_error([0.25] * 4 + [1.0] * 2, [True, False, False, False, True, True]) == pytest.approx(0)
    assert calibration_error([0.9, 0.9, 0.1, 0.1], [True, False, False, False]) == pytest.approx(0.25)
    assert calibration_error([], []) == 0


def test_precision_recall_and_f1() -> None:
    counts = counts_at([0.9, 0.8, 0.7, 0.2], [True, False, True, True], 0.7)
    assert counts == Counts(2, 1, 1)
    assert (counts.precision, counts.recall, counts.f1) == (2 / 3, 2 / 3, 2 / 3)
    assert Counts(0, 0, 0).f1 == 0.0


def test_verification_counts_both_kinds_of_error_at_the_threshold() -> None:
    found = verification([0.2, 0.55, 0.6, 0.5, 0.9], [True, True, True, False, False], 0.55)
    assert (found.same_pairs, found.refused, found.other_pairs, found.accepted) == (3, 1, 2, 1)
    assert (found.false_reject_rate, found.false_accept_rate) == (1 / 3, 0.5)


@pytest.mark.parametrize(
    ("found", "true", "counts"),
    [
        ([1.0, 2.0], [1.0, 2.0], Counts(2, 0, 0)),
        ([1.1], [1.0], Counts(1, 0, 0)),
        ([1.2], [1.0], Counts(0, 1, 1)),
        ([1.0, 1.05], [1.0], Counts(1, 1, 0)),  # one cut cannot be found twice
        ([1.0], [0.95, 1.05], Counts(1, 0, 1)),
        ([1.05, 1.15], [1.0, 1.1], Counts(2, 0, 0)),
        ([], [1.0], Counts(0, 0, 1)),
        ([], [], Counts(0, 0, 0)),
    ],
)
def test_cuts_are_matched_one_to_one(found: list[float], true: list[float], counts: Counts) -> None:
    assert cut_counts(found, true, 0.1) == counts


def box(x: float, width: float = 10.0) -> tuple[float, float, float, float]:
    return x, 0.0, x + width, 10.0


def test_a_perfect_detector_has_a_mean_average_precision_of_one() -> None:
    picture = Picture(
        (Truth("cat", box(0)), Truth("dog", box(20))), (Found("cat", 0.9, box(0)), Found("dog", 0.5, box(20)))
    )
    assert mean_average_precision([picture]) == 1.0


def test_a_box_counts_up_to_its_overlap() -> None:
    # 8 of 10 wide: IoU 0.8, right at 0.50 to 0.80, which are 7 of the 10 thresholds
    picture = Picture((Truth("cat", box(0)),), (Found("cat", 0.9, box(0, 8.0)),))
    assert mean_average_precision([picture]) == pytest.approx(0.7)


def test_101_point_interpolation_as_worked_out_by_hand() -> None:
    # Two true boxes; surest first: right, wrong, right. Precision falls 1, 2/3, 2/3 at recalls 0.5, 0.5, 1.
    # The recalls 0.00 to 0.50 (51 points) have 1, the other 50 have 2/3.
    picture = Picture(
        (Truth("cat", box(0)), Truth("cat", box(20))),
        (Found("cat", 0.9, box(0)), Found("cat", 0.8, box(50)), Found("cat", 0.7, box(20))),
    )
    assert average_precision([picture], "cat", 0.5) == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_what_is_never_found_costs_the_recalls_that_are_not_reached() -> None:
    # one of three: recalls up to 1/3 are reached, which are 34 of 101 points (0.00 to 0.33)
    picture = Picture(tuple(Truth("cat", box(20 * index)) for index in range(3)), (Found("cat", 0.9, box(0)),))
    assert average_precision([picture], "cat", 0.5) == pytest.approx(34 / 101)


def test_a_second_box_on_the_same_thing_is_wrong() -> None:
    twice = Picture((Truth("cat", box(0)),), (Found("cat", 0.9, box(1)), Found("cat", 0.8, box(0))))
    assert average_precision([twice], "cat", 0.5) == 1.0  # the surer one took it, the other comes after full recall
    assert average_precision([twice], "cat", 0.9) == pytest.approx(0.5)  # the surer one does not fit


def test_boxes_of_all_pictures_are_ranked_together() -> None:
    first = Picture((Truth("cat", box(0)),), (Found("cat", 0.5, box(0)),))
    second = Picture((), (Found("cat", 0.9, box(0)),))
    assert average_precision([first, second], "cat", 0.5) == pytest.approx(0.5)


def test_boxes_in_a_crowd_are_neither_right_nor_wrong() -> None:
    truths = (Truth("cat", box(0)), Truth("cat", (100.0, 0.0, 200.0, 100.0), crowd=True))
    found = (Found("cat", 0.9, (110.0, 10.0, 130.0, 30.0)), Found("cat", 0.8, box(0)))
    assert average_precision([Picture(truths, found)], "cat", 0.5) == 1.0


def test_a_class_that_is_nowhere_true_does_not_count() -> None:
    picture = Picture((Truth("cat", box(0)),), (Found("cat", 0.9, box(0)), Found("dog", 0.9, box(0))))
    assert mean_average_precision([picture]) == 1.0
    assert mean_average_precision([Picture((), (Found("dog", 0.9, box(0)),))]) is None


def test_classes_count_alike_however_many_boxes_they_have() -> None:
    picture = Picture(
        (*(Truth("cat", box(20 * index)) for index in range(9)), Truth("dog", box(300))),
        tuple(Found("cat", 0.9, box(20 * index)) for index in range(9)),
    )
    assert mean_average_precision([picture]) == pytest.approx(0.5)
