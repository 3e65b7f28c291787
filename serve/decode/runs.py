"""Decode one run of packets that hang together, and take the frames that are due."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType

import av
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from model_zoo.values import View
from serve.decode.canvas import Picture, Scaler, fitted
from serve.decode.wanted import DecodeLog
from serve.limits import check_picture
from serve.media import Media
from serve.sampling import Due
from serve.stamp import reopen

Taken = tuple[int, float, Picture]  # asker, seconds, picture
_NEVER = np.iinfo(np.int64).max
LEAST_FITTED_SHARE = 0.25  # of the first picture's area; portrait in landscape fills 0.32


@dataclass(frozen=True, slots=True)
class Run:
    """Packets from a place where decoding can start, and what is due in them."""

    packets: Iterable[Packet[VideoStream]]
    due: Sequence[Due]  # one per asker


class RunDecoder:
    """A decoder with its scalers; decodes any number of runs, one after the other, on one thread.

    With `even_ticks` the times in the file are not believed: its frames follow each other at this distance.
    """

    def __init__(self, media: Media, views: Sequence[View], even_ticks: int | None = None) -> None:
        video = media.facts.video
        if video is None:
            raise ValueError(f"{media.facts.name}: has no video stream to decode")
        self._media = media
        self._container = reopen(media.path, media.limits, media.stamp)
        stream = self._container.streams[video.stream_index]
        self._codec: VideoCodecContext = stream.codec_context  # type: ignore[assignment]
        self._codec.options = {"max_pixels": str(media.limits.max_pixels)}
        self._tick_seconds = float(stream.time_base or 1 / av.time_base)
        self._believed = even_ticks is None
        self._frame_ticks = even_ticks or max(1, round(1 / ((video.frame_rate or 25.0) * self._tick_seconds)))
        self._scalers = [Scaler(view, video) for view in views]

    def __enter__(self) -> RunDecoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def decode(self, run: Run, log: DecodeLog, threads: int) -> Iterator[Taken]:
        """Yield what the askers take of a run, in time order; keep the log."""
        takers = Takers(self._media, run.due, log)
        for frame in self._frames(run.packets, log, threads):
            ticks = frame.pts or 0
            seconds = ticks * self._tick_seconds - self._media.start_seconds
            for asker in takers.take(ticks, seconds, (frame.width, frame.height)):
                yield asker, seconds, self._scalers[asker].picture(frame)

    def _frames(self, packets: Iterable[Packet[VideoStream]], log: DecodeLog, threads: int) -> Iterator[VideoFrame]:
        codec = self._codec
        if codec.is_open:
            codec.flush_buffers()
        else:
            codec.thread_type, codec.thread_count = "AUTO", threads
        ticks = round(self._media.start_seconds / self._tick_seconds) - self._frame_ticks
        for packet in _ended(packets):
            try:
                decoded = codec.decode(packet)
            except av.error.FFmpegError as error:
                log.damaged_packets += 1
                log.last_damage = error.strerror or str(error)
                continue
            for frame in decoded:
                if frame.pts is None or not self._believed:
                    frame.pts = ticks + self._frame_ticks
                ticks = frame.pts
                yield frame


def _ended(packets: Iterable[Packet[VideoStream]]) -> Iterator[Packet[VideoStream] | None]:
    """End with None, which makes the decoder give out what it holds back."""
    yield from packets
    yield None


class Takers:
    """Who takes which frame of a run; keeps the log of what came out of the decoder."""

    def __init__(self, media: Media, due: Sequence[Due], log: DecodeLog) -> None:
        video = media.facts.video
        self._media, self._log = media, log
        self._size = (video.coded_width, video.coded_height) if video else (0, 0)
        self._pointers = [_Pointer(one) for one in due]

    def take(self, ticks: int, seconds: float, size: tuple[int, int]) -> list[int]:
        """Return the askers that take the next frame; raises MediaLimitError for one that is too large."""
        log = self._log
        log.frames_decoded += 1
        log.last_good_seconds = seconds
        if size != self._size and log.size_change is None:
            self._note_size(size, seconds)
        takers = [asker for asker, pointer in enumerate(self._pointers) if pointer.takes(ticks)]
        log.frames_analyzed += bool(takers)
        return takers

    def missing(self) -> int:
        """Return how many times that were due no frame has come for."""
        return sum(pointer.left for pointer in self._pointers)

    def _note_size(self, size: tuple[int, int], seconds: float) -> None:
        check_picture(self._media.facts.name, *size, self._media.limits)
        change = "the picture size changes from {}x{} to {}x{}".format(*self._size, *size)
        self._log.size_change = f"{change} at {seconds:.2f} s"
        width, height = fitted(*size, self._size, self._size)
        if width * height < LEAST_FITTED_SHARE * self._size[0] * self._size[1]:
            self._log.broke_off = f"{self._log.size_change}, and little of it is seen in that shape"


class _Pointer:
    """Which frame an asker takes next."""

    def __init__(self, due: Due) -> None:
        self._every, self._after = due.every, due.after
        self._ticks = [*due.ticks.tolist(), _NEVER]
        self._position = 0

    @property
    def left(self) -> int:
        return 0 if self._every else len(self._ticks) - 1 - self._position

    def takes(self, ticks: int) -> bool:
        """Say whether the frame at this time is wanted: the first at or after each due time is."""
        if self._every:
            return ticks > self._after
        if ticks < self._ticks[self._position]:
            return False
        while self._ticks[self._position] <= ticks:
            self._position += 1
        return True
