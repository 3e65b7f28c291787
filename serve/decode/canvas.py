"""Scale decoded frames straight into the batches that models read."""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from model_zoo.ops.geometry import place
from model_zoo.report import VideoFacts
from model_zoo.values import Frames, Pixels, View

_INTERPOLATION = {
    "area": Interpolation.AREA,
    "bilinear": Interpolation.BILINEAR,
    "bicubic": Interpolation.BICUBIC,
    "lanczos": Interpolation.LANCZOS,
}
_FULL_COLOUR = Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND
_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
_STANDARD_LINES = 576  # players take more lines than this for BT.709 where the stream does not say


class Canvas:
    """Turns decoded frames into rows of a batch of one view.

    The whole frame is scaled to its place while still YUV, then only the small picture becomes RGB: half the work of
    scaling to RGB at once, and measured closer to the exact result. Turning it upright happens on the small picture,
    non-square pixels and both fields of an interlaced frame are scaled like everything else. A frame whose size
    changes in mid-stream is scaled to the place of the first.
    """

    def __init__(self, view: View, video: VideoFacts, batch: int) -> None:
        self._view, self._batch = view, batch
        self._place = place(view, video.width, video.height)
        self._quarter_turns = video.rotation_degrees // 90 % 4
        width, height = self._place.scaled_width, self._place.scaled_height
        self._size = (height, width) if self._quarter_turns % 2 else (width, height)  # before turning
        shrinks = self._size[0] <= video.coded_width and self._size[1] <= video.coded_height
        # swscale's area filter is for shrinking only
        self._filter = _INTERPOLATION[
            "bilinear" if view.interpolation == "area" and not shrinks else view.interpolation
        ]
        self._scale, self._colour = VideoReformatter(), VideoReformatter()
        self._start_batch()

    def _start_batch(self) -> None:
        self._pixels: Pixels = np.empty((self._batch, self._view.height, self._view.width, 3), np.uint8)
        if self._place.width < self._view.width or self._place.height < self._view.height:
            self._pixels.fill(self._view.pad)
        self._seconds: list[float] = []

    def add(self, frame: VideoFrame, seconds: float) -> Frames | None:
        """Lay a frame into the batch; return the batch when that fills it."""
        place = self._place
        picture = np.rot90(_as_array(self._to_rgb(frame)), -self._quarter_turns)
        row = self._pixels[len(self._seconds)]
        row[place.top : place.top + place.height, place.left : place.left + place.width] = picture[
            place.crop_top : place.crop_top + place.height, place.crop_left : place.crop_left + place.width
        ]
        self._seconds.append(seconds)
        return self.flush() if len(self._seconds) == self._batch else None

    def flush(self) -> Frames | None:
        """Return what the batch holds; None when it is empty."""
        if not self._seconds:
            return None
        frames = Frames(
            pixels=self._pixels[: len(self._seconds)],
            seconds=np.array(self._seconds),
            view=self._view,
            source_width=self._place.source_width,
            source_height=self._place.source_height,
        )
        self._start_batch()
        return frames

    def _to_rgb(self, frame: VideoFrame) -> VideoFrame:
        width, height = self._size
        if frame.format.is_rgb or frame.format.name in ("pal8", "gray", "monob", "monow"):
            return self._scale.reformat(
                frame, width, height, "rgb24", interpolation=self._filter | _FULL_COLOUR, threads=1
            )
        space = frame.colorspace
        if space == _UNSPECIFIED:
            space = Colorspace.ITU709 if frame.height > _STANDARD_LINES else Colorspace.ITU601
        if (frame.width, frame.height) != (width, height):
            frame = self._scale.reformat(
                frame, width, height, "yuv422p", src_colorspace=space, interpolation=self._filter, threads=1
            )
        return self._colour.reformat(
            frame, width, height, "rgb24", src_colorspace=space, interpolation=self._filter, threads=1
        )


def _as_array(picture: VideoFrame) -> NDArray[np.uint8]:
    """View an rgb24 frame as (H, W, 3) without copying it."""
    plane = picture.planes[0]
    lines = np.frombuffer(plane, np.uint8).reshape(picture.height, plane.line_size)  # type: ignore[call-overload]
    rows: NDArray[np.uint8] = lines[:, : picture.width * 3].reshape(picture.height, picture.width, 3)
    return rows
