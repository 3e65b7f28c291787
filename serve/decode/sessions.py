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
from serve.decode.driver import why_driver_refuses
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


@dataclass(frozen=True, slots=True)
class SessionKind:
    """What a session can be used for: videos that are the same in all this.

    The library keeps the size of the surfaces of a session's first video, and scales any other into them.
    """

    codec: str
    bits: int
    width: int
    height: int
    header: bytes = b""  # of the stream, as its container has it


def kind_of(video: VideoFacts, stream: VideoStream) -> SessionKind:
    """Return what a video needs."""
    header = bytes(stream.codec_context.extradata or b"")
    return SessionKind(video.codec, sample_bits(video) or 8, video.coded_width, video.coded_height, header)


class Session:
    """One decoder of the video engine, and the painter whose stream it works on; for one thread at a time."""

    def __init__(self, library: ModuleType, kind: SessionKind, painter: Painter) -> None:
        """Open it. Raises BackendError where the engine does not take this kind, and what the library raises."""
        self.kind, self.painter = kind, painter
        self._library = library
        codec = getattr(library.cudaVideoCodec, _CODECS[kind.codec])
        if refusal := why_driver_refuses(library, codec, kind.codec, kind.bits, (kind.width, kind.height)):
            raise BackendError(refusal)
        self._decoder: Any = library.CreateDecoder(
            gpuid=0,
            codec=codec,
            cudacontext=painter.context,
            cudastream=painter.stream,
            usedevicememory=True,
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
            yield int(frame.getPTS()), _surface(self._library, frame, self.kind.width)


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
        self._painters: list[Painter] = []  # of sessions that are gone; CuPy keeps memory for the stream of each
        self._lock = threading.Lock()
        self.engines, self._patience_seconds = engines, patience_seconds
        self.most_idle = max(MOST_IDLE, engines)
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._busy = 0

    @contextmanager
    def session(self, wanted: SessionKind) -> Iterator[Session]:
        """Lend a session for a video, when it is its turn. One that fails is not used again, but its painter is.

        Raises BackendError when no engine came free in time.
        """
        with self._engine():
            session = self._waiting(wanted) or self._opened(wanted)
            try:
                yield session
            except BaseException:
                self._free(session.painter)
                raise
            self._keep(session)

    def _opened(self, wanted: SessionKind) -> Session:
        with self._lock:
            painter = self._painters.pop() if self._painters else None
        painter = painter or self._new_painter()
        try:
            return Session(self._library, wanted, painter)
        except BaseException:
            self._free(painter)
            raise

    def _keep(self, session: Session) -> None:
        """Let a session wait for the next video; the one that has waited longest goes when there are too many."""
        with self._lock:
            self._idle.append(session)
            gone = self._idle.pop(0) if len(self._idle) > self.most_idle else None
        if gone is not None:
            self._free(gone.painter)

    def _free(self, painter: Painter) -> None:
        """Keep a painter for the next session: the memory of its stream would not be used again without it."""
        with self._lock:
            self._painters.append(painter)

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
                if session.kind == wanted:
                    return self._idle.pop(number)
        return None


def _surface(library: ModuleType, frame: Any, real_width: int) -> Surface:
    """Describe a decoded frame; raises BackendError for a layout that the kernel does not read.

    The library says an odd width as the next even one, with a column of nothing at the end.
    """
    wide = frame.format == library.Pixel_Format.P016
    if not wide and frame.format != library.Pixel_Format.NV12:
        raise BackendError(f"the video engine gave a surface of {frame.format}; NV12 and P016 are read")
    luma, chroma = (plane.__cuda_array_interface__ for plane in frame.cuda())
    height, width = (int(side) for side in luma["shape"][:2])
    least = (2 if wide else 1) * width
    pitch = int(luma["strides"][0])
    if pitch < least:
        pitch *= 2  # counted in samples, not in bytes
    if width == real_width + 1 and real_width % 2:
        width = real_width
    return Surface(int(luma["data"][0]), int(chroma["data"][0]), pitch, pitch, width, height, wide)
