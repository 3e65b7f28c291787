"""What the painting kernel is told: one job per surface and row, with places, turns and colours worked out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from model_zoo.ops.geometry import place
from model_zoo.report import VideoFacts
from model_zoo.values import View
from serve.decode.canvas import fitted

Kind = Literal["uint8 NHWC", "float16 NCHW", "float32 NCHW"]
KINDS: tuple[Kind, ...] = ("uint8 NHWC", "float16 NCHW", "float32 NCHW")
ITEM_BYTES = {"uint8 NHWC": 1, "float16 NCHW": 2, "float32 NCHW": 4}

_ADDRESSES = ("luma", "chroma", "row")
_NUMBERS = (
    *("luma_pitch", "chroma_pitch", "width", "height", "wide", "row_width", "row_height"),
    *("left", "top", "right", "bottom", "crop_left", "crop_top", "scaled_width", "scaled_height"),
    *("inner_left", "inner_top", "inner_width", "inner_height", "swap", "flip_x", "flip_y"),
    *("pad", "kind", "blue_first"),
)
_COLOURS = ("luma_offset", "luma_scale", "red_v", "green_u", "green_v", "blue_u")
JOB = np.dtype(  # struct Job of paint.cu
    [(name, np.uint64) for name in _ADDRESSES]
    + [(name, np.int32) for name in _NUMBERS]
    + [(name, np.float32) for name in _COLOURS]
    + [("mean", np.float32, 3), ("deviation", np.float32, 3), ("unused", np.int32)]
)
Jobs = NDArray[Any]  # (N,) of JOB

# red and blue share of luma; by AVColorSpace, as streams carry it (ITU-T H.273 table 4)
_LUMA_SHARES = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593), 7: (0.212, 0.087), 4: (0.30, 0.11)}
_BT601 = (0.299, 0.114)
_UNSPECIFIED = 2
_STANDARD_LINES = 576  # players take more lines than this for BT.709 where the stream does not say


@dataclass(frozen=True, slots=True)
class Colours:
    """How the numbers of a stream become red, green and blue."""

    space: int  # AVColorSpace
    full_range: bool

    def coefficients(self, lines: int) -> tuple[float, float, float, float, float, float]:
        """Return luma's offset and scale and the four shares of colour, for a picture of so many lines."""
        space = self.space
        if space == _UNSPECIFIED and lines > _STANDARD_LINES:
            space = 1
        red, blue = _LUMA_SHARES.get(space, _BT601)
        green = 1.0 - red - blue
        colour = 2.0 if self.full_range else 2.0 * 255 / 224
        return (
            0.0 if self.full_range else 16.0,
            1.0 if self.full_range else 255 / 219,
            colour * (1 - red),
            -colour * blue * (1 - blue) / green,
            -colour * red * (1 - red) / green,
            colour * (1 - blue),
        )


@dataclass(frozen=True, slots=True)
class Surface:
    """A decoded 4:2:0 frame somewhere in memory: a plane of luma, and one of colour with U and V in turn."""

    luma: int  # addresses
    chroma: int
    luma_pitch: int  # bytes from line to line
    chroma_pitch: int
    width: int
    height: int
    wide: bool  # 16 bits a sample, the highest ones filled (P010, P016)


@dataclass(frozen=True, slots=True)
class Finish:
    """What becomes of the pixels: their type and order, and what is taken off and divided by."""

    kind: Kind = "uint8 NHWC"
    blue_first: bool = False
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)


def row_bytes(view: View, finish: Finish) -> int:
    """Return the size of one row of a batch."""
    return 3 * view.width * view.height * ITEM_BYTES[finish.kind]


class Layout:
    """Where surfaces of one video land in one view."""

    def __init__(self, view: View, video: VideoFacts, colours: Colours, finish: Finish) -> None:
        self._colours = colours
        self._first_size = (video.coded_width, video.coded_height)
        placed = place(view, video.width, video.height)
        turns = video.rotation_degrees // 90 % 4
        swap = turns % 2 == 1
        size = (placed.scaled_width, placed.scaled_height)
        self._size = size[::-1] if swap else size  # as it is stored, before it is turned upright
        job = np.zeros((), JOB)
        job["row_width"], job["row_height"] = view.width, view.height
        job["left"], job["top"] = placed.left, placed.top
        job["right"], job["bottom"] = placed.left + placed.width, placed.top + placed.height
        job["crop_left"], job["crop_top"] = placed.crop_left, placed.crop_top
        job["scaled_width"], job["scaled_height"] = self._size
        job["swap"] = swap
        # clockwise: a quarter turn takes from the bottom up, a half from both ends, three quarters from the right
        job["flip_x"] = (turns in (2, 3)) != bool(video.mirrored)
        job["flip_y"] = turns in (1, 2)
        job["pad"] = view.pad
        job["kind"], job["blue_first"] = KINDS.index(finish.kind), finish.blue_first
        job["mean"], job["deviation"] = finish.mean, finish.deviation
        self._job = job

    def job(self, surface: Surface, row: int) -> Jobs:
        """Return the one job (1,) that paints a surface into the row at an address.

        A surface of another size than the first is fitted, whole, into the place of the first, as players do.
        """
        width, height = self._size
        if (surface.width, surface.height) != self._first_size:
            width, height = fitted(surface.width, surface.height, self._first_size, self._size)
        job = self._job.copy()
        for name in ("luma", "chroma", "luma_pitch", "chroma_pitch", "width", "height", "wide"):
            job[name] = getattr(surface, name)
        job["row"] = row
        job["inner_left"], job["inner_top"] = (self._size[0] - width) // 2, (self._size[1] - height) // 2
        job["inner_width"], job["inner_height"] = width, height
        for name, value in zip(_COLOURS, self._colours.coefficients(surface.height), strict=True):
            job[name] = value
        return job.reshape(1)
