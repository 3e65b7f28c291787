"""Make small clips with PyAV whose frames carry their own number, so that a test can tell which one it was given."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, RATE = 160, 96, 25
_BITS = 8
_STRIPE = HEIGHT // 4
_TEXTURE = np.random.default_rng(7).integers(40, 216, (2 * HEIGHT, 2 * WIDTH, 3), dtype=np.uint8)


def numbered_picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """Draw (H, W, 3): the number in 8 black or white blocks along the top, below it a texture that moves."""
    tiles = (height // len(_TEXTURE) + 1, width // len(_TEXTURE[0]) + 1, 1)
    picture = np.tile(np.roll(_TEXTURE, (-number, -2 * number), (0, 1)), tiles)[:height, :width].copy()
    for bit in range(_BITS):
        left, right = bit * width // _BITS, (bit + 1) * width // _BITS
        picture[: height // 4, left:right] = 235 if number >> bit & 1 else 16
    return picture


def number_in(picture: NDArray[np.uint8]) -> int:
    """Read the number of a frame from its top, however the frame was scaled."""
    height, width = picture.shape[:2]
    middles = [(2 * bit + 1) * width // (2 * _BITS) for bit in range(_BITS)]
    return sum(1 << bit for bit, x in enumerate(middles) if picture[height // 8, x].mean() > 128)


def write_clip(
    path: Path,
    *,
    codec: str = "libx264",
    frames: int = 100,
    options: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
    times: Sequence[float] | None = None,
    pixel_format: str = "yuv420p",
    aspect: Fraction | None = None,
    rotation: int = 0,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Path:
    """Encode numbered frames at 25 a second, or at `times` (seconds). `rotation` is counter-clockwise, in degrees."""
    ticks = Fraction(1, 90_000)
    with av.open(str(path), "w", options=muxer or {}) as container:
        stream = container.add_stream(codec, rate=RATE, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pixel_format
        if times is not None:
            stream.codec_context.time_base = ticks
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number, *size), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[number] / ticks), ticks
            else:
                frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def remux(
    source: Path,
    target: Path,
    *,
    keep: Callable[[int, av.Packet], bool] = lambda number, packet: True,
    shift_seconds: float = 0.0,
    muxer: dict[str, str] | None = None,
) -> Path:
    """Copy the video packets that `keep` wants (their number, the packet), moved in time, without encoding again."""
    with av.open(str(source)) as inside, av.open(str(target), "w", options=muxer or {}) as outside:
        stream = inside.streams.video[0]
        copy = outside.add_stream_from_template(stream)
        shift = round(shift_seconds / stream.time_base)
        for number, packet in enumerate(inside.demux(stream)):
            if packet.size and keep(number, packet):
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = copy
                outside.mux(packet)
    return target


def claim_duration(path: Path, seconds: float) -> Path:
    """Make the header of a Matroska file lie about its duration."""
    data = bytearray(path.read_bytes())
    at = data.index(b"\x44\x89\x88") + 3
    data[at : at + 8] = struct.pack(">d", seconds * 1000.0)
    path.write_bytes(data)
    return path


def cut_off(path: Path, share: float) -> Path:
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def claim_size_png(path: Path, width: int, height: int) -> Path:
    """Write a PNG header that claims a size, with nothing behind it."""
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBBI", 13, b"IHDR", width, height, 8, 2, 0, 0, 0, 0) + bytes(64)
    )
    return path


def claim_brand(path: Path, brand: bytes) -> Path:
    """Make the header of an MP4 file lie about what kind of file it is."""
    data = bytearray(path.read_bytes())
    data[8:12] = brand
    path.write_bytes(data)
    return path
