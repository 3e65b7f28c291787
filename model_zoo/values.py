"""The few values that travel between the steps of an analysis; shapes and units are said once, here.

Letters in shapes: N rows (frames or windows of a batch), H W pixels, C channels, S samples of sound, K classes,
M boxes of one frame. Time is in seconds, float, from the start of the media, the same for pictures and sound.
Pictures are RGB uint8 (H, W, 3). Boxes are x1, y1, x2, y2. Sound is mono float32 (S,), -1..1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (N, H, W, 3) RGB
Samples = NDArray[np.float32]  # (S,) or (N, S) mono, -1..1
Boxes = NDArray[np.float32]  # (M, 4) x1, y1, x2, y2
Scores = NDArray[np.float32]
Indices = NDArray[np.intp]
Tensor = NDArray[Any]
Tensors = Mapping[str, Tensor]  # axis 0 is the batch


class OnDevice(Protocol):
    """Pictures (N, H, W, 3) in a GPU's memory, good for as long as this value is kept.

    They may still be on their way when this value is given out: `wait` before they are read.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (N, H, W, 3)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return uint8."""
        ...

    @property
    def address(self) -> int:
        """Return where the first row begins; the others follow without a gap."""
        ...

    @property
    def room(self) -> int:
        """Return how many rows may be read from the address on: N or more. Those after N hold anything."""
        ...

    def __len__(self) -> int: ...

    def wait(self, stream: int | None) -> None:
        """Let what is started later on a CUDA stream wait for the rows; without one, the caller waits itself."""
        ...

    def copy(self, first: int, count: int, address: int, stream: int | None) -> None:
        """Start to copy rows, of the `room`, to another place on the device."""
        ...

    def on_host(self) -> Pixels:
        """Return the rows as an array; they are copied once, however often this is asked."""
        ...


Rows = Tensor | OnDevice
Given = Mapping[str, Rows]  # what a model is given; what it returns are Tensors


def on_host(rows: Rows) -> Tensor:
    """Return rows as an array, wherever they lie."""
    return rows if isinstance(rows, np.ndarray) else rows.on_host()


Fit = Literal["stretch", "letterbox", "cover"]
Anchor = Literal["centre", "top_left"]
Interpolation = Literal["area", "bilinear", "bicubic", "lanczos"]


class Model(Protocol):
    """Anything that maps named tensors to named tensors, axis 0 being the batch: a backend, a fake, a wrapper."""

    def run(self, tensors: Given) -> Tensors:
        """Return one output row per input row."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """How a frame is delivered to a model.

    The central `crop_share` (0 < share <= 1) of both sides of the upright, square-pixel frame is fitted into
    `width` x `height` pixels: `stretch` ignores the aspect ratio, `letterbox` keeps it and fills the rest with the
    grey value `pad`, `cover` keeps it and cuts what hangs over. For `cover`, `crop_share` applies to the largest
    rectangle of the view's aspect ratio, so `cover` with 224 and 0.875 is the classic "resize 256, crop 224".
    """

    width: int
    height: int
    fit: Fit = "stretch"
    crop_share: float = 1.0
    anchor: Anchor = "centre"
    pad: int = 0
    interpolation: Interpolation = "area"


@dataclass(frozen=True, slots=True)
class Frames:
    """A batch of frames of one view, in presentation order: `rows` for a model, `pixels` for who looks at them."""

    rows: Pixels | OnDevice  # (N, view.height, view.width, 3)
    seconds: NDArray[np.float64]  # (N,) presentation time of the frame that was really decoded
    view: View
    source_width: int  # pixels of the upright frame with square pixels, for boxes
    source_height: int

    def __len__(self) -> int:
        return len(self.seconds)

    @property
    def pixels(self) -> Pixels:
        """Return the rows as an array; from a GPU they are copied when this is first asked for."""
        return on_host(self.rows)


@dataclass(frozen=True, slots=True)
class Sound:
    """A stretch of sound without a gap."""

    samples: Samples  # (S,)
    sample_rate: int
    start_seconds: float


@dataclass(frozen=True, slots=True)
class SoundWindows:
    """A batch of windows of one sound, in time order; they overlap where the hop is shorter than the window."""

    samples: Samples  # (N, S)
    seconds: NDArray[np.float64]  # (N,) time of the first sample of each window
    filled: Indices  # (N,) how many samples are of the sound; after its end there is silence
    sample_rate: int

    def __len__(self) -> int:
        return len(self.seconds)


@dataclass(frozen=True, slots=True)
class Box:
    """One found thing in one frame, in pixels of the upright source frame."""

    label: str
    confidence: float
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one model says of one frame or one window of sound."""

    seconds: float
    scores: Mapping[str, float] = field(default_factory=dict)  # label -> 0..1
    boxes: tuple[Box, ...] = ()
    arrays: Tensors = field(default_factory=dict, compare=False)  # for the domain's own summary, one row per box


@dataclass(frozen=True, slots=True)
class GivenText:
    """One text of a file of text, and what the caller calls it, where the file says so."""

    text: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in which a score stayed up."""

    start_seconds: float
    end_seconds: float
    peak_seconds: float
    peak: float
    mean: float
    frames: int
    moments: tuple[tuple[float, float], ...] = ()  # time and score of every sample that carries it, where they are kept


Predict = Callable[[Frames], Sequence[Prediction]]


@dataclass(frozen=True, slots=True)
class Watcher:
    """One stream of frames that a domain asks for, and what it does with each batch.

    `predict` may keep state between calls: a watcher serves one media file and sees its frames once, in order. One
    with `rows_only` keeps none, and looks at no pixels itself: it hands the rows of each batch to its role's model.
    """

    role: str
    view: View
    interval_seconds: float  # 0 asks for every frame
    predict: Predict
    rows_only: bool = False


Hear = Callable[[SoundWindows], Sequence[Prediction]]
Finish = Callable[[], Sequence[Prediction]]


def nothing_more() -> Sequence[Prediction]:
    """Add nothing at the end."""
    return ()


@dataclass(frozen=True, slots=True)
class Listener:
    """One stream of windows of sound that a domain asks for, and what it does with each batch.

    Window k begins k hops after second 0, and the last one reaches to the end of the sound. `hear` may keep state
    between calls: a listener serves one media file and hears its windows once, in order. It returns one prediction per
    window; `finish` is called after the last window and returns what is still to be said.
    """

    role: str
    sample_rate: int
    window_seconds: float
    hop_seconds: float
    hear: Hear
    finish: Finish = nothing_more
