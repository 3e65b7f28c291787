"""Scale decoded frames, and lay them into the batches that models read."""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from model_zoo.ops.geometry import place
from model_zoo.report import VideoFacts
from model_zoo.values import Frames, Pixels, View

Picture = NDArray[np.uint8]  # (H, W, 3), the visible part of a view

_INTERPOLATION = {
    "area": Interpolation.AREA,
    "bilinear": Interpolation.BILINEAR,
    "bicubic": Interpolation.BICUBIC,
    "lanczos": Interpolation.LANCZOS,
}
_FULL_COLOUR = Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND
_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
_STANDARD_LINES = 576  # players take more lines than this for BT.709 where the stream does not say


class Scaler:
    """Turns decoded frames into pictures of one view; belongs to one thread.

    The whole frame is scaled to its place while still YUV, then only the small picture becomes RGB: half the work of
    scaling to RGB at once, and measured closer to the exact result. Turning it upright happens on the small picture;
    non-square pixels and both fields of an interlaced frame are scaled like everything else, which blurs the combing
    of fast motion but keeps every line. A frame of another size than the first is fitted, whole, into the place of the
    first, as players do.
    """

    def __init__(self, view: View, video: VideoFacts) -> None:
        self._place = place(view, video.width, video.height)
        self._mirrored = video.mirrored
        self._quarter_turns = video.rotation_degrees // 90 % 4
        width, height = self._place.scaled_width, self._place.scaled_height
        self._size = (height, width) if self._quarter_turns % 2 else (width, height)  # before turning
        self._first_size = (video.coded_width, video.coded_height)
        self._interpolation, self._pad = view.interpolation, view.pad
        self._scale, self._colour = VideoReformatter(), VideoReformatter()

    def picture(self, frame: VideoFrame) -> Picture:
        """Return the visible part of the view, upright."""
        top, left = self._place.crop_top, self._place.crop_left
        stored = self._whole(frame)
        upright = np.rot90(stored[:, ::-1] if self._mirrored else stored, -self._quarter_turns)
        return upright[top : top + self._place.height, left : left + self._place.width]

    def _whole(self, frame: VideoFrame) -> Picture:
        """Return the whole frame as it is stored, scaled to its place."""
        if (frame.width, frame.height) == self._first_size:
            return as_array(self._to_rgb(frame, *self._size))
        width, height = fitted(frame.width, frame.height, self._first_size, self._size)
        left, top = (self._size[0] - width) // 2, (self._size[1] - height) // 2
        canvas = np.full((self._size[1], self._size[0], 3), self._pad, np.uint8)
        canvas[top : top + height, left : left + width] = as_array(self._to_rgb(frame, width, height))
        return canvas

    def _to_rgb(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        grows = width > frame.width or height > frame.height
        # swscale's area filter is for shrinking only
        scaling = _INTERPOLATION["bilinear" if grows and self._interpolation == "area" else self._interpolation]
        if not _has_halved_colour(frame):
            flags = scaling | _FULL_COLOUR
            return self._scale.reformat(frame, width, height, "rgb24", interpolation=flags, threads=1)
        space = frame.colorspace
        if space == _UNSPECIFIED:
            space = Colorspace.ITU709 if frame.height > _STANDARD_LINES else Colorspace.ITU601
        if (frame.width, frame.height) != (width, height):
            frame = self._scale.reformat(
                frame,
                width,
                height,
                "yuv422p",
                src_colorspace=space,
                dst_colorspace=space,  # without it swscale also converts colours, and slowly
                interpolation=scaling,
                threads=1,
            )
        return self._colour.reformat(
            frame, width, height, "rgb24", src_colorspace=space, interpolation=scaling, threads=1
        )


class Batch:
    """Collects pictures of one view into the arrays that models read."""

    def __init__(self, view: View, video: VideoFacts, size: int) -> None:
        self._view, self._size = view, size
        self._place = place(view, video.width, video.height)
        self._start()

    def _start(self) -> None:
        self._pixels: Pixels = np.empty((self._size, self._view.height, self._view.width, 3), np.uint8)
        if self._place.width < self._view.width or self._place.height < self._view.height:
            self._pixels.fill(self._view.pad)
        self._seconds: list[float] = []

    def add(self, picture: Picture, seconds: float) -> Frames | None:
        """Copy a picture into the batch; return the batch when that fills it."""
        top, left = self._place.top, self._place.left
        row = self._pixels[len(self._seconds)]
        row[top : top + self._place.height, left : left + self._place.width] = picture
        self._seconds.append(seconds)
        return self.flush() if len(self._seconds) == self._size else None

    def flush(self) -> Frames | None:
        """Return what the batch holds; None when it is empty."""
        if not self._seconds:
            return None
        frames = Frames(
            rows=self._pixels[: len(self._seconds)],
            seconds=np.array(self._seconds),
            view=self._view,
            source_width=self._place.source_width,
            source_height=self._place.source_height,
        )
        self._start()
        return frames


def fitted(width: int, height: int, into: tuple[int, int], scaled: tuple[int, int]) -> tuple[int, int]:
    """Return the size of a picture that is fitted into one of size `into`, when that is scaled to `scaled`."""
    share = min(into[0] / width, into[1] / height)
    return (
        max(1, round(width * share * scaled[0] / into[0])),
        max(1, round(height * share * scaled[1] / into[1])),
    )


def _has_halved_colour(frame: VideoFrame) -> bool:
    """Say whether colour is stored at half width, as nearly all video does."""
    planes = frame.format.components
    return len(planes) >= 3 and not frame.format.is_rgb and planes[1].width < planes[0].width


def as_array(picture: VideoFrame) -> Picture:
    """View an rgb24 frame as (H, W, 3) without copying it."""
    plane = picture.planes[0]
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(picture.height, plane.line_size)
    return lines[:, : picture.width * 3].reshape(picture.height, picture.width, 3)
