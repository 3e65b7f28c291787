"""Sessions of a GPU's video engines, through PyNvVideoCodec: opened when needed, used again for the next video.

One video is decoded by one engine, so as many are decoded at once as there are engines. Others wait, in the order in
which they came, and go to the CPU when that takes too long.
"""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from av.packet import Packet
from av.video.stream import VideoStream

from model_zoo.errors import BackendError
from model_zoo.report import VideoFacts
from serve.decode.engines import sample_bits
from serve.decode.jobs import Surface
from serve.decode.paint import Painter

MOST_IDLE = 4  # sessions that wait for the next video, or as many as there are engines: each holds some surfaces
PATIENCE_SECONDS = 5.0  # until a video that waits for an engine goes to the CPU, which has nothing else to decode
_CODECS = {
    "h264": "H264",
    "hevc": "HEVC",
    "vp8": "VP8",
    "vp9": "VP9",
    "av1": "AV1",
    "mpeg1video": "MPEG1",
    "mpeg2video": "MPEG2",
}
_ALIGN = 128  # sizes are rounded up, so that a session fits a few more videos than its first


@dataclass(frozen=True, slots=True)
class SessionKind:
    """What a session can be used for."""

    codec: str
    bits: int
    width: int  # at most
    height: int

    def serves(self, wanted: SessionKind) -> bool:
        """Say whether a session of this kind can decode what needs `wanted`."""
        same = (self.codec, self.bits) == (wanted.codec, wanted.bits)
        return same and self.width >= wanted.width and self.height >= wanted.height


class Session:
    """One decoder of the video engine, and the painter whose stream it works on; for one thread at a time."""

    def __init__(self, library: ModuleType, kind: SessionKind, painter: Painter) -> None:
        """Open it. Raises BackendError where the engine does not take this kind, and what the library raises."""
        self.kind, self.painter = kind, painter
        self._library = library
        codec = getattr(library.cudaVideoCodec, _CODECS[kind.codec])
        if refusal := _refusal(library, codec, kind):
            raise BackendError(refusal)
        self._decoder: Any = library.CreateDecoder(
            gpuid=0,
            codec=codec,
            cudacontext=painter.context,
            cudastream=painter.stream,
            usedevicememory=True,
            maxwidth=kind.width,
            maxheight=kind.height,
            outputColorType=library.OutputColorType.NATIVE,
        )

    def surfaces(
        self, packets: Iterable[tuple[bytes | Packet[VideoStream], int | None]]
    ) -> Iterator[tuple[int, Surface]]:
        """Decode a run, to its last frame; yield time and surface in the order in which frames are shown.

        A surface is only good until the next one is asked for; what is started on the stream till then may read it.
        """
        for content, ticks in packets:
            data = bytes(content) if isinstance(content, Packet) else content
            kept = ctypes.create_string_buffer(data, len(data))  # the parser copies it during the call
            yield from self._decode(len(data), ctypes.addressof(kept), ticks)
        yield from self._decode(0, 0, None)  # the end of the run: what is held back for its order comes out

    def _decode(self, size: int, address: int, ticks: int | None) -> Iterator[tuple[int, Surface]]:
        packet = self._library.PacketData()
        packet.bsl, packet.bsl_data, packet.pts = size, address, ticks or 0
        for frame in self._decoder.Decode(packet):
            yield int(frame.getPTS()), _surface(self._library, frame)


class Sessions:
    """The sessions of one GPU; those not in use wait here for the next video."""

    def __init__(
        self,
        library: ModuleType,
        new_painter: Callable[[], Painter],
        engines: int = 1,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """Decode at most as many videos at once as the GPU has engines."""
        self._library, self._new_painter = library, new_painter
        self._idle: list[Session] = []
        self._lock = threading.Lock()
        self.engines, self._patience_seconds = engines, patience_seconds
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._busy = 0

    @contextmanager
    def session(self, video: VideoFacts) -> Iterator[Session]:
        """Lend a session for a video, when it is its turn. One that fails is not used again.

        Raises BackendError when no engine came free in time.
        """
        wanted = SessionKind(
            video.codec,
            sample_bits(video) or 8,
            -(-video.coded_width // _ALIGN) * _ALIGN,
            -(-video.coded_height // _ALIGN) * _ALIGN,
        )
        with self._engine():
            session = self._waiting(wanted) or Session(self._library, wanted, self._new_painter())
            yield session
            with self._lock:
                self._idle = [*self._idle, session][-max(MOST_IDLE, self.engines) :]

    @contextmanager
    def _engine(self) -> Iterator[None]:
        """Wait for an engine, first come, first served."""
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            mine = self._changed.wait_for(
                lambda: self._queue[0] is ticket and self._busy < self.engines, self._patience_seconds
            )
            self._queue.remove(ticket)
            self._busy += mine
            self._changed.notify_all()
        if not mine:
            raise BackendError(
                f"all {self.engines} engines were busy with other videos for {self._patience_seconds:g} s"
            )
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _waiting(self, wanted: SessionKind) -> Session | None:
        with self._lock:
            for number, session in enumerate(self._idle):
                if session.kind.serves(wanted):
                    return self._idle.pop(number)
        return None


def _refusal(library: ModuleType, codec: Any, kind: SessionKind) -> str | None:
    """Ask the driver itself whether its engine takes this, and say why not."""
    chroma = library.cudaVideoChromaFormat.__members__["420"]
    caps: dict[str, int] = library.GetDecoderCaps(gpuid=0, codec=codec, chromaformat=chroma, bitdepth=kind.bits)
    if not caps["supported"]:
        return f"the driver's video engine does not decode {kind.codec} with {kind.bits} bits"
    if kind.width > caps["width_max"] or kind.height > caps["height_max"]:
        return f"the driver's video engine takes {caps['width_max']}x{caps['height_max']} at most of {kind.codec}"
    return None


def _surface(library: ModuleType, frame: Any) -> Surface:
    """Describe a decoded frame; raises BackendError for a layout that the kernel does not read."""
    wide = frame.format == library.Pixel_Format.P016
    if not wide and frame.format != library.Pixel_Format.NV12:
        raise BackendError(f"the video engine gave a surface of {frame.format}; NV12 and P016 are read")
    luma, chroma = (plane.__cuda_array_interface__ for plane in frame.cuda())
    height, width = (int(side) for side in luma["shape"][:2])
    least = (2 if wide else 1) * width
    pitch = int(luma["strides"][0])
    if pitch < least:
        pitch *= 2  # counted in samples, not in bytes
    return Surface(int(luma["data"][0]), int(chroma["data"][0]), pitch, pitch, width, height, wide)
