"""A stand-in for PyNvVideoCodec: the same names and the same rules, but PyAV decodes, and surfaces lie in host memory.

It holds to what the real library does: packets carry an address and a length, start codes are asked for, a surface is
written over by the next call, an empty packet ends a run. A session keeps the surface size of its first picture and
scales all others into it; odd widths are said as even ones.
`Trouble` makes it fail in the ways that GPUs fail.
"""

from __future__ import annotations

import ctypes
import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import av
import numpy as np
from av.packet import Packet

NAMES = {
    "H264": "h264",
    "HEVC": "hevc",
    "VP8": "vp8",
    "VP9": "vp9",
    "AV1": "libdav1d",
    "MPEG1": "mpeg1video",
    "MPEG2": "mpeg2video",
}
PITCH = 64  # bytes that a line is rounded up to


class cudaVideoCodec(enum.Enum):  # noqa: N801 - the library's name
    """The codecs."""

    MPEG1 = 0
    MPEG2 = 1
    H264 = 4
    HEVC = 8
    VP8 = 9
    VP9 = 10
    AV1 = 11


cudaVideoChromaFormat = enum.Enum("cudaVideoChromaFormat", {"420": 1})  # noqa: N816 - the library's name


class Pixel_Format(enum.Enum):  # noqa: N801 - the library's name
    """The layouts of surfaces."""

    NV12 = 3
    YUV444 = 4
    P016 = 5


class OutputColorType(enum.Enum):
    """What comes out."""

    NATIVE = 0


class PacketData:
    """Bytes somewhere in memory, and their time."""

    def __init__(self) -> None:
        self.bsl = self.bsl_data = self.pts = 0


@dataclass(slots=True)
class Trouble:
    """How this library fails."""

    at_open: bool = False
    refuses: bool = False  # says that the engine cannot
    after_frames: int | None = None  # fails when so many have come out
    loses: int | None = None  # the frame of this number never comes
    layout: Pixel_Format | None = None
    engines: int = 2
    caps: Mapping[str, int] = field(default_factory=dict)  # what the driver says otherwise


class Plane:
    """One plane of a surface."""

    def __init__(self, array: np.ndarray) -> None:
        interface = array.__array_interface__
        strides = tuple(int(step) for step in array.strides)
        self.__cuda_array_interface__ = {"shape": array.shape, "strides": strides, "data": interface["data"]}


class DecodedFrame:
    """One surface."""

    def __init__(self, ticks: int, planes: list[np.ndarray], layout: Pixel_Format) -> None:
        self._ticks, self._planes, self.format = ticks, planes, layout

    def getPTS(self) -> int:  # noqa: N802 - the library's name
        """Return its time."""
        return self._ticks

    def cuda(self) -> list[Plane]:
        """Return its planes."""
        return [Plane(plane) for plane in self._planes]


class Library(ModuleType):
    """The module."""

    def __init__(self, trouble: Trouble | None = None) -> None:
        super().__init__("PyNvVideoCodec")
        self.trouble = trouble or Trouble()
        self.opened: list[Decoder] = []
        self.frames_out = 0
        self.asked = 0  # how often for what the driver takes
        self.cudaVideoCodec, self.cudaVideoChromaFormat = cudaVideoCodec, cudaVideoChromaFormat
        self.Pixel_Format, self.OutputColorType, self.PacketData = Pixel_Format, OutputColorType, PacketData

    def GetDecoderCaps(self, gpuid: int, codec: Any, chromaformat: Any, bitdepth: int) -> dict[str, int]:  # noqa: N802
        """Say what the engine takes."""
        assert (gpuid, chromaformat) == (0, cudaVideoChromaFormat["420"])
        self.asked += 1
        found = {"supported": int(not self.trouble.refuses), "width_max": 4096, "height_max": 4096, "width_min": 48}
        found |= {"height_min": 16, "mb_num_max": 65_536, "num_decoder_engines": self.trouble.engines}
        return {**found, **self.trouble.caps}

    def CreateDecoder(self, **arguments: Any) -> Decoder:  # noqa: N802 - the library's name
        """Open a session."""
        assert arguments["usedevicememory"]
        assert arguments["cudastream"]
        assert arguments["cudacontext"]
        if self.trouble.at_open:
            raise RuntimeError("PyNvDecoder constructor failed: out of memory\nat PyNvDecoder.cpp:42")
        most = (arguments.get("maxwidth", 0), arguments.get("maxheight", 0))
        self.opened.append(Decoder(self, arguments["codec"], most))
        return self.opened[-1]


class Decoder:
    """One session."""

    def __init__(self, library: Library, codec: cudaVideoCodec, most: tuple[int, int]) -> None:
        self._library, self._name = library, NAMES[codec.name]
        self._most = tuple(-(-side // 32) * 32 for side in most)
        self._size: tuple[int, int] | None = None  # of the surfaces
        self._start()
        self._surfaces: list[np.ndarray] = []

    def _start(self) -> None:
        self._codec = av.CodecContext.create(self._name, "r")

    def Decode(self, packet: PacketData) -> list[DecodedFrame]:  # noqa: N802 - the library's name
        """Decode a packet; an empty one ends the run."""
        for surface in self._surfaces:
            surface.fill(0)  # whoever kept one now sees it
        self._surfaces.clear()
        if packet.bsl == 0:
            frames = self._codec.decode(None)
            self._start()
            return list(self._out(frames))
        data = ctypes.string_at(packet.bsl_data, packet.bsl)
        if self._name in ("h264", "hevc"):
            assert data[:4] == b"\x00\x00\x00\x01" or data[:3] == b"\x00\x00\x01", "no start code"
        content = Packet(data)
        content.pts = packet.pts
        try:
            frames = self._codec.decode(content)
        except av.error.FFmpegError:  # the engine conceals damage, or shows nothing
            frames = []
        return list(self._out(frames))

    def _out(self, frames: list[Any]) -> Iterator[DecodedFrame]:
        trouble = self._library.trouble
        for frame in frames:
            number = self._library.frames_out
            self._library.frames_out += 1
            if trouble.after_frames is not None and number >= trouble.after_frames:
                raise RuntimeError("CUDA_ERROR_ILLEGAL_ADDRESS")
            if self._size is None:
                self._size = (frame.width, frame.height)
                self._most = (max(self._most[0], frame.width), max(self._most[1], frame.height))
            if (frame.width > self._most[0] or frame.height > self._most[1]) and self._name != "vp9":
                raise RuntimeError("Reconfigure Not supported when width/height > maxwidth/maxheight")
            if number != trouble.loses:
                yield self._surface(frame, *self._size)

    def _surface(self, frame: Any, width: int, height: int) -> DecodedFrame:
        wide = frame.format.components[0].bits > 8
        layout = "p010le" if wide else "nv12"
        same = {"src_color_range": frame.color_range, "dst_color_range": frame.color_range}
        picture = frame.reformat(width=width, height=height, format=layout, **same)
        item = 2 if wide else 1
        pitch = -(-width * item // PITCH) * PITCH
        lines = height + (height + 1) // 2
        memory = np.zeros((lines, pitch), np.uint8)
        luma, chroma = (
            np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size) for plane in picture.planes
        )
        memory[:height, : width * item] = luma[:height, : width * item]
        half = (width + 1) // 2 * 2 * item
        memory[height:, :half] = chroma[: lines - height, :half]
        self._surfaces.append(memory)
        kind = np.uint16 if wide else np.uint8
        samples = memory.view(kind)
        planes = [
            np.lib.stride_tricks.as_strided(samples, (height, (width + 1) // 2 * 2, 1), (pitch, item, item)),
            np.lib.stride_tricks.as_strided(
                samples[height:], (lines - height, (width + 1) // 2, 2), (pitch, 2 * item, item)
            ),
        ]
        given = self._library.trouble.layout or (Pixel_Format.P016 if wide else Pixel_Format.NV12)
        return DecodedFrame(frame.pts, planes, given)
