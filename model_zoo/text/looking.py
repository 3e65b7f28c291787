"""From frames to lines of text: find where text is, read what is new, keep what did not change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model_zoo.domain import Loaded
from model_zoo.ops.boxes import overlaps
from model_zoo.ops.geometry import place
from model_zoo.text.reading import Picture, Reading, read_lines
from model_zoo.text.regions import text_boxes
from model_zoo.values import Box, Boxes, Frames, Pixels, Prediction, View

# Lines are cut out of this. Of 1280, 1408 and 1536 only the last let captions of 14 to 26 pixels at 1080 lines be read.
VIEW = View(1536, 1536, "letterbox", anchor="top_left")
SHRINK = 2  # the detector looks at a picture so many times smaller
DETECTOR_STEP = 32  # pixels; the detector takes multiples
MOST_LINES = 100  # of one frame, the largest first
MOST_TALL = 1.5  # height by width: text that runs down or sideways is not read
LEAST_CONFIDENCE = 0.6  # of a reading
LEAST_CHARACTERS = 2  # letters and digits of a reading
SAME_PLACE = 0.5  # IoU of a box with one of the frame before
MOST_STIR = 4.0  # grey levels: mean difference of the worst block of a picture that stands still
BLOCK = 16  # pixels of the shrunken picture, the size of small text
MOST_CHANGE = 0.15  # of a line that still says the same, as a share of its contrast; one other digit makes 0.4


@dataclass(slots=True, eq=False)
class Line:
    """One line of text in one place, and the pixels that it was read from."""

    box: NDArray[np.float32]  # (4,) in pixels of the view
    pixels: Picture
    reading: Reading = field(default=Reading("", 0.0))


class Reader:
    """Looks at the frames of one media file in order; remembers the last picture searched, and its lines of text."""

    def __init__(self, detector: Loaded, recogniser: Loaded) -> None:
        self._detector, self._recogniser = detector, recogniser
        self._searched: Picture | None = None
        self._boxes: Boxes = np.empty((0, 4), np.float32)
        self._lines: list[Line] = []

    def predict(self, frames: Frames) -> Sequence[Prediction]:
        """Return the lines of every frame as boxes, whose labels are the text."""
        seen: list[list[Line]] = []
        unread: list[Line] = []
        for pixels, boxes in zip(frames.pixels, self._find(frames), strict=True):
            before, lines = list(self._lines), []
            for box in boxes:
                line = _unchanged(before, pixels, box)
                if line is None:
                    line = Line(box, _cut(pixels, box).copy())
                    unread.append(line)
                else:
                    before.remove(line)
                lines.append(line)
            seen.append(lines)
            self._lines = lines
        readings = read_lines([line.pixels for line in unread], self._recogniser)
        for line, reading in zip(unread, readings, strict=True):
            line.reading = reading
        return [_prediction(frames, row, lines) for row, lines in enumerate(seen)]

    def _find(self, frames: Frames) -> list[Boxes]:
        """Return boxes (M, 4) in pixels of the view, for every frame; a picture that stands still is searched once."""
        placed = place(frames.view, frames.source_width, frames.source_height)
        shrunk = shrink(frames.pixels, placed.width, placed.height)
        moved = []
        for picture in shrunk:
            moved.append(self._searched is None or stir(self._searched, picture) > MOST_STIR)
            if moved[-1]:
                self._searched = picture
        edge = np.array([placed.width, placed.height] * 2, np.float32)
        fresh = iter(self._search(shrunk[moved]))
        boxes = []
        for searched in moved:
            if searched:
                self._boxes = _worth_reading(np.minimum(text_boxes(next(fresh)) * SHRINK, edge))
            boxes.append(self._boxes)
        return boxes

    def _search(self, pictures: Pixels) -> NDArray[np.float32]:
        """Return the probability of text for every pixel: (N, H, W, 3) -> (N, H, W)."""
        if not len(pictures):
            return np.empty(pictures.shape[:3], np.float32)
        spec = self._detector.spec
        maps: NDArray[np.float32] = self._detector.model.run({spec.sees().name: pictures})[spec.outputs[0]][:, 0]
        return maps


def shrink(pixels: Pixels, width: int, height: int) -> Pixels:
    """Return what is filled of the frames (N, H, W, 3), `SHRINK` times smaller, in sides that the detector takes."""
    step = DETECTOR_STEP * SHRINK
    high, wide = -(-height // step) * DETECTOR_STEP, -(-width // step) * DETECTOR_STEP
    filled = pixels[:, : high * SHRINK, : wide * SHRINK]
    lines = filled.reshape(len(pixels), high, SHRINK, wide * SHRINK, 3)
    sums = lines[:, :, 0].astype(np.uint16)
    for line in range(1, SHRINK):  # slices are added many times faster than sum() over the axis
        sums += lines[:, :, line]
    columns = sums.reshape(len(pixels), high, wide, SHRINK, 3)
    for column in range(1, SHRINK):
        columns[:, :, :, 0] += columns[:, :, :, column]
    means: Pixels = (columns[:, :, :, 0] // SHRINK**2).astype(np.uint8)
    return means


def _worth_reading(boxes: Boxes) -> Boxes:
    """Leave out boxes without area and tall ones, and all but the largest."""
    sides = boxes[:, 2:] - boxes[:, :2]
    boxes = boxes[(sides.min(axis=1) >= 1) & (sides[:, 1] <= MOST_TALL * sides[:, 0])]
    if len(boxes) <= MOST_LINES:
        return boxes
    largest = np.argsort(-np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), kind="stable")[:MOST_LINES]
    return boxes[np.sort(largest)]


def _cut(pixels: Picture, box: NDArray[np.float32]) -> Picture:
    left, top = np.floor(box[:2]).astype(int)
    right, bottom = np.ceil(box[2:]).astype(int)
    return pixels[top:bottom, left:right]


def _unchanged(before: Sequence[Line], pixels: Picture, box: NDArray[np.float32]) -> Line | None:
    """Return the line that was at this place in the frame before, if the pixels there are still the same."""
    if not before:
        return None
    shares = overlaps(box[None], np.stack([line.box for line in before]))[0]
    best = before[int(shares.argmax())]
    if shares.max() >= SAME_PLACE and change(best.pixels, _cut(pixels, best.box)) <= MOST_CHANGE:
        return best
    return None


def stir(picture: Picture, now: Picture) -> float:
    """Return how much the most changed block of a shrunken picture differs, in grey levels."""
    apart = np.abs(picture.astype(np.int16) - now)  # (H, W, 3)
    high, wide = apart.shape[0] // BLOCK, apart.shape[1] // BLOCK
    return float(apart.reshape(high, BLOCK, wide, BLOCK * 3).mean(axis=(1, 3)).max())


def change(line: Picture, now: Picture) -> float:
    """Return how much a line differs where it differs most, over half its height, as a share of its own contrast."""
    apart = np.abs(line.astype(np.int16) - now).mean(axis=(0, 2))  # (W,)
    wide = max(1, min(line.shape[0] // 2, line.shape[1]))
    sums = np.concatenate([[0.0], np.cumsum(apart)])
    return float((sums[wide:] - sums[:-wide]).max() / wide / max(line.std(), 1.0))


def _prediction(frames: Frames, row: int, lines: Sequence[Line]) -> Prediction:
    to_source = place(frames.view, frames.source_width, frames.source_height).to_source
    kept = [line for line in lines if _is_text(line.reading)]
    corners = to_source(np.array([line.box for line in kept], np.float32))
    boxes = [
        Box(line.reading.text, line.reading.confidence, *box) for line, box in zip(kept, corners.tolist(), strict=True)
    ]
    return Prediction(float(frames.seconds[row]), boxes=tuple(boxes))


def _is_text(reading: Reading) -> bool:
    characters = sum(character.isalnum() for character in reading.text)
    return reading.confidence >= LEAST_CONFIDENCE and characters >= LEAST_CHARACTERS
