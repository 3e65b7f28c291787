"""JPEG pictures, written and read with PyAV; the same pixels give the same bytes."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation

from serve.decode.canvas import Picture, as_array

QUALITY = 5  # of the mjpeg encoder: 2 is best, 31 is worst
BLURRED_SIDE = 16  # pixels that are left of the longer side of a picture that nobody shall recognise


def encode(picture: Picture, quality: int = QUALITY) -> bytes:
    """Return a picture as a JPEG file."""
    context = VideoCodecContext.create("mjpeg", "w")
    context.height, context.width = picture.shape[:2]
    context.pix_fmt, context.time_base = "yuvj420p", Fraction(1)
    context.qmin = context.qmax = quality
    context.thread_count = 1
    context.options = {"flags": "+bitexact"}  # no version of the encoder in the file
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24").reformat(format="yuvj420p")
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def decode(jpeg: bytes) -> Picture:
    """Return the picture in a file that `encode` wrote."""
    with av.open(io.BytesIO(jpeg), mode="r", format="jpeg_pipe") as container:
        return as_array(next(container.decode(video=0)).reformat(format="rgb24"))


def scaled(picture: Picture, width: int, height: int) -> Picture:
    """Return a picture in another size."""
    shrinks = width <= picture.shape[1] and height <= picture.shape[0]
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24").reformat(
        width=width, height=height, interpolation=Interpolation.AREA if shrinks else Interpolation.BICUBIC
    )
    return as_array(frame)


def blurred(picture: Picture) -> Picture:
    """Return a picture of the same size that keeps so few pixels that nothing in it can be brought back."""
    height, width = picture.shape[:2]
    share = min(1.0, BLURRED_SIDE / max(height, width))
    few = scaled(picture, max(1, round(width * share)), max(1, round(height * share)))
    return scaled(few, width, height)
