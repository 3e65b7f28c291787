"""Text: a probability map becomes lines, what did not change is not read again, and readings become segments."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest

from model_zoo import text
from model_zoo.catalog import catalog, named
from model_zoo.domain import Loaded, Start, Summary
from model_zoo.errors import ManifestError
from model_zoo.report import DomainPart
from model_zoo.shots.schema import Shot, ShotsPart
from model_zoo.text.looking import SHRINK, VIEW, shrink
from model_zoo.text.postprocess import letters, same_words, threads
from model_zoo.text.reading import decode, read_lines, resize
from model_zoo.text.regions import connected, text_boxes
from model_zoo.text.schema import TextPart
from model_zoo.values import Box, Frames, Prediction, Tensors

DETECTOR, RECOGNISER = named(["ppocr_v4_det", "ppocr_v4_rec"], catalog())
WIDE = (VIEW.width, VIEW.height // 2)  # a source of the view's own scale
CLASSES = len(RECOGNISER.labels) + 2
BLANK, SPACE = 0, CLASSES - 1


def classes_of(line: str) -> list[int]:
    return [SPACE if character == " " else 1 + RECOGNISER.labels.index(character) for character in line]


def answer(classes: Sequence[int], confidence: float = 0.9) -> np.ndarray:
    """Return what a recogniser says (1, T, K) that is so sure of each class."""
    scores = np.full((1, len(classes), CLASSES), (1 - confidence) / (CLASSES - 1), np.float32)
    scores[0, np.arange(len(classes)), list(classes)] = confidence
    return scores


class WhiteIsText:
    """A detector that takes white pixels for text."""

    def __init__(self) -> None:
        self.rows = 0

    def run(self, tensors: Tensors) -> Tensors:
        """Answer every row."""
        pixels = tensors[DETECTOR.input.name]
        self.rows += len(pixels)
        return {DETECTOR.outputs[0]: (pixels[:, None, :, :, 0] >= 200).astype(np.float32)}


class Recogniser:
    """Reads its own word in every line, and counts what it is asked."""

    def __init__(self, word: str = "world", confidence: float = 0.9) -> None:
        self.rows = 0
        self._answer = answer(classes_of(word), confidence)

    def run(self, tensors: Tensors) -> Tensors:
        """Answer every row alike."""
        pixels = tensors[RECOGNISER.input.name]
        self.rows += len(pixels)
        assert pixels.shape[1] == 48
        return {RECOGNISER.outputs[0]: np.repeat(self._answer, len(pixels), axis=0)}


def picture(*bars: tuple[int, int, int, int]) -> np.ndarray:
    """Return a dark frame with white bars x1, y1, x2, y2."""
    pixels = np.full((VIEW.height, VIEW.width, 3), 20, np.uint8)
    for x1, y1, x2, y2 in bars:
        pixels[y1:y2, x1:x2] = 255
    return pixels


def seen(
    *pictures: np.ndarray, recogniser: Recogniser | None = None, detector: WhiteIsText | None = None
) -> list[Prediction]:
    models = {
        "detector": Loaded(DETECTOR, detector or WhiteIsText()),
        "recogniser": Loaded(RECOGNISER, recogniser or Recogniser()),
    }
    (watcher,) = text.DOMAIN.start(Start(models, 1.0))
    frames = [
        Frames(pixels[None], np.array([float(second)]), watcher.view, *WIDE) for second, pixels in enumerate(pictures)
    ]
    return [row for batch in frames for row in watcher.predict(batch)]


def part_of(
    predictions: Sequence[Prediction], parts: dict[str, DomainPart] | None = None, interval_seconds: float = 1.0
) -> TextPart:
    specs = {"detector": DETECTOR, "recogniser": RECOGNISER}
    apart_seconds = predictions[1].seconds if len(predictions) > 1 else 1.0
    end = predictions[-1].seconds + apart_seconds
    return text.summarize(Summary({"detector": predictions}, specs, interval_seconds, end, 1000, 500, parts or {}))


def frames(*boxes: tuple[Box, ...], apart_seconds: float = 1.0) -> list[Prediction]:
    return [Prediction(apart_seconds * number, boxes=found) for number, found in enumerate(boxes)]


def line(label: str, confidence: float = 0.9, x: float = 100, y: float = 100) -> Box:
    return Box(label, confidence, x, y, x + 200, y + 40)


def shots(*starts: float) -> ShotsPart:
    return ShotsPart(
        segments=[
            Shot(
                start_seconds=start,
                end_seconds=start,
                peak_seconds=start,
                peak_confidence=1,
                mean_confidence=1,
                frames=1,
                index=index,
                opened_by="cut",
            )
            for index, start in enumerate(starts)
        ]
    )


def test_regions_hang_together_over_corners_and_around_bends() -> None:
    marks = ["##..#", "..#..", "#..##", "#####", "....."]
    values = np.array([[character == "#" for character in row] for row in marks], np.float32)
    regions = connected(values, 0.5)
    assert sorted(map(tuple, regions.boxes.tolist())) == [(0, 0, 5, 4), (4, 0, 5, 1)]
    assert sorted(regions.pixels.tolist()) == [1, 11]


def test_a_map_without_text_has_no_boxes() -> None:
    assert text_boxes(np.zeros((32, 64), np.float32)).shape == (0, 4)


def test_a_line_is_wider_than_the_network_marks_it() -> None:
    probability = np.zeros((64, 128), np.float32)
    probability[20:28, 30:90] = 0.9
    (box,) = text_boxes(probability)
    grown = 60 * 8 * 1.6 / (2 * (60 + 8))
    assert box.tolist() == pytest.approx([30 - grown, 20 - grown, 90 + grown, 28 + grown])


def test_faint_and_thin_marks_are_no_text() -> None:
    probability = np.zeros((64, 128), np.float32)
    probability[20:28, 30:90] = 0.5
    probability[40:42, 30:90] = 0.9
    assert len(text_boxes(probability)) == 0


def test_repeated_classes_are_one_character_unless_a_blank_is_between() -> None:
    h, e, lower_l, o = classes_of("helo")
    (reading,) = decode(answer([h, h, e, BLANK, lower_l, lower_l, BLANK, lower_l, o, SPACE, BLANK]), RECOGNISER.labels)
    assert reading.text == "hello"
    assert reading.confidence == pytest.approx(0.9)


def test_nothing_but_blanks_is_no_text() -> None:
    (reading,) = decode(answer([BLANK, BLANK]), RECOGNISER.labels)
    assert (reading.text, reading.confidence) == ("", 0.0)


def test_the_wide_space_of_the_charset_is_a_space() -> None:
    (reading,) = decode(
        answer([*classes_of("a"), 1 + RECOGNISER.labels.index("\u2420"), *classes_of("b")]), RECOGNISER.labels
    )
    assert reading.text == "a b"


def test_lines_of_any_size_are_read_in_their_order() -> None:
    lines = [np.zeros((height, width, 3), np.uint8) for height, width in ((20, 300), (48, 48), (7, 900), (96, 600))]
    assert [reading.text for reading in read_lines(lines, Loaded(RECOGNISER, Recogniser()))] == ["world"] * 4


def test_resizing_keeps_an_even_picture_and_the_mean_of_any() -> None:
    even = np.full((13, 29, 3), 77, np.uint8)
    assert (resize(even, 50, 48) == 77).all()
    noise = np.random.default_rng(1).integers(0, 256, (60, 90, 3), np.uint8)
    assert resize(noise, 30, 20).mean() == pytest.approx(noise.mean(), abs=1.5)


def test_shrinking_averages_blocks_and_leaves_the_padding_out() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (2, VIEW.height, VIEW.width, 3), np.uint8)
    small = shrink(pixels, VIEW.width, 300)
    assert small.shape == (2, 160, VIEW.width // SHRINK, 3)  # 300 / 2, up to the next multiple of 32
    assert small[1, 3, 5].tolist() == (pixels[1, 6:8, 10:12].astype(int).sum((0, 1)) // 4).tolist()


def test_a_line_comes_with_its_text_and_its_place_in_the_source() -> None:
    (prediction,) = seen(picture((200, 100, 600, 140)))
    (box,) = prediction.boxes
    assert (box.label, box.confidence) == ("world", pytest.approx(0.9))
    assert (box.x1, box.y1) < (200, 100)
    assert (box.x2, box.y2) > (600, 140)


def test_unsure_readings_and_single_characters_are_left_out() -> None:
    bars = picture((200, 100, 600, 140))
    assert seen(bars, recogniser=Recogniser("world", 0.5))[0].boxes == ()
    assert seen(bars, recogniser=Recogniser("-h.", 0.9))[0].boxes == ()


def test_upright_bars_are_not_read() -> None:
    recogniser = Recogniser()
    assert seen(picture((200, 100, 240, 500)), recogniser=recogniser)[0].boxes == ()
    assert recogniser.rows == 0


def test_a_picture_that_stands_still_is_searched_and_read_once() -> None:
    recogniser, detector = Recogniser(), WhiteIsText()
    still = picture((200, 100, 600, 140))
    noise = np.random.default_rng(2).integers(0, 3, still.shape, np.uint8)
    rows = seen(still, np.minimum(still, 252) + noise, still, recogniser=recogniser, detector=detector)
    assert [row.boxes[0].label for row in rows] == ["world"] * 3
    assert (detector.rows, recogniser.rows) == (1, 1)


def test_only_the_line_that_changed_is_read_again() -> None:
    recogniser = Recogniser()
    one, other = (200, 100, 600, 140), (200, 300, 600, 340)
    changed = picture(one, other)
    changed[300:320, 400:440] = 20  # a notch in the second line
    seen(picture(one, other), changed, recogniser=recogniser)
    assert recogniser.rows == 3


def test_the_same_text_in_neighbouring_samples_is_one_segment() -> None:
    (segment,) = part_of(
        frames((line("CITY NEWS", 0.9),), (line("CITY NEWS", 0.95),), (line("CITYNEWS", 0.85),), ())
    ).segments
    assert (segment.label, segment.start_seconds, segment.end_seconds) == ("CITY NEWS", 0, 3)
    assert (segment.peak_confidence, segment.peak_seconds, segment.mean_confidence, segment.frames) == (
        0.95,
        1,
        0.925,
        3,
    )
    assert [point.seconds for point in segment.points] == [0, 1, 2]
    assert segment.points[0].box.model_dump() == {"x1": 0.1, "y1": 0.2, "x2": 0.3, "y2": 0.28}


def test_the_surest_reading_wins_by_its_votes() -> None:
    (segment,) = part_of(
        frames((line("BREAKINC NEWS", 0.97),), (line("BREAKING NEWS", 0.9),), (line("BREAKING NEWS", 0.8),))
    ).segments
    assert segment.label == "BREAKING NEWS"
    assert (segment.peak_confidence, segment.peak_seconds) == (0.9, 1)


def test_text_that_moves_stays_one_segment() -> None:
    (segment,) = part_of(frames(*((line("directed by nobody", y=400 - 100 * step),) for step in range(4)))).segments
    assert segment.frames == 4


def test_other_words_in_the_same_place_are_another_segment() -> None:
    assert [s.label for s in part_of(frames((line("first line"),), (line("second one"),))).segments] == [
        "first line",
        "second one",
    ]


def test_a_missed_sample_does_not_end_a_segment() -> None:
    (segment,) = part_of(frames((line("EXIT"),), (), (line("EXIT"),))).segments
    assert (segment.start_seconds, segment.end_seconds, segment.frames) == (0, 3, 2)


def test_text_on_a_slide_is_there_for_as_long_as_the_slide() -> None:
    slides = frames((), (line("SALE"),), (line("SALE"),), (), (line("SALE"),), apart_seconds=5.0)
    found = part_of(slides).segments
    assert [(segment.start_seconds, segment.end_seconds, segment.frames) for segment in found] == [
        (5, 15, 2),
        (20, 25, 1),
    ]


def test_a_line_that_stands_still_is_one_segment_however_often_it_is_asked_for() -> None:
    every = frames(*[(line("SALE"),)] * 6, (), *[(line("SALE"),)] * 5, apart_seconds=0.04)
    (segment,) = part_of(every, interval_seconds=0.001).segments
    assert (segment.start_seconds, segment.end_seconds, segment.frames) == (0, 0.48, 11)


def test_text_never_surely_read_is_left_out() -> None:
    assert part_of(frames((line("CQMO", 0.75),), (line("CQMO", 0.7),))).segments == []


def test_text_comes_and_goes_with_the_cuts_between_samples() -> None:
    seen_at = frames((), (line("CITY NEWS"),), (line("CITY NEWS"),), ())
    (segment,) = part_of(seen_at, {"shots": shots(0, 0.48, 2.16)}).segments
    assert (segment.start_seconds, segment.end_seconds) == (0.48, 2.16)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("CITY TRAFFIC NEWS", "City Traffic News.", True),
        ("CITY TRAFFIC NEWS", "CITYTRAFFlC NEWS", True),
        ("12:01", "12:02", False),
        ("EXIT", "EDIT", False),
        ("我们走吧", "我们走吧!", True),
    ],
)
def test_readings_are_compared_by_their_letters(one: str, other: str, same: bool) -> None:
    assert same_words(letters(one), letters(other)) is same


def test_a_decoder_of_another_domain_is_named_in_the_error() -> None:
    models = {
        "detector": Loaded(DETECTOR.model_copy(update={"decoder": "nanodet"}), WhiteIsText()),
        "recogniser": Loaded(RECOGNISER, Recogniser()),
    }
    with pytest.raises(ManifestError, match=r"\[ppocr_v4_det\] decoder 'nanodet' is not text's for a detector: db"):
        text.DOMAIN.start(Start(models, 1.0))


def test_hours_of_a_full_slide_are_followed_in_time() -> None:
    label = "line {} of a slide that says very much"
    lines = tuple(Box(label.format(row), 0.9, 0, row * 10, 900, row * 10 + 9) for row in range(100))
    predictions = [Prediction(float(second), boxes=lines) for second in range(1_000)]
    start_seconds = time.monotonic()
    found = threads(predictions, {float(second): second + 1.0 for second in range(1_000)}, 1.5)
    assert time.monotonic() - start_seconds < 60
    assert [len(thread.rows) for thread in found] == [1_000] * 100
