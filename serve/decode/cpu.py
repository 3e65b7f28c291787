"""Decode on the CPU with PyAV: one pass through the file, several views, exact times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from model_zoo.errors import CorruptMediaError
from model_zoo.report import VideoFacts
from model_zoo.values import Frames
from serve.containers import open_container
from serve.decode.canvas import Canvas
from serve.decode.wanted import DecodeLog, Wanted
from serve.media import Media
from serve.sampling import Due, Plan

_NEVER = np.iinfo(np.int64).max


def frames(
    media: Media, wanted: Sequence[Wanted], plan: Plan, log: DecodeLog, threads: int
) -> Iterator[tuple[int, Frames]]:
    """Yield (index into `wanted`, batch), every asker's batches in time order, as soon as they are full.

    Damaged packets are passed over and counted; when the file breaks off, what was decoded is yielded all the same
    and the log says where. Raises CorruptMediaError when not one frame comes out.
    """
    video = media.facts.video
    if video is None:
        return
    askers = [
        _Asker(index, Canvas(item.view, video, item.batch), due)
        for index, (item, due) in enumerate(zip(wanted, plan.due, strict=True))
    ]
    for frame, seconds in _decoded(media, video, plan, log, threads):
        taken = False
        for asker in askers:
            if asker.takes(frame.pts or 0):
                taken = True
                batch = asker.canvas.add(frame, seconds)
                if batch is not None:
                    yield asker.index, batch
        log.frames_analyzed += taken
    if log.frames_decoded == 0:
        raise CorruptMediaError(
            f"{media.facts.name}: not one frame could be decoded: {log.last_damage or 'no key frame'}; "
            "upload the file again or repair it"
        )
    for asker in askers:
        rest = asker.canvas.flush()
        if rest is not None:
            yield asker.index, rest


@dataclass(slots=True)
class _Asker:
    """One `Wanted` on its way through the file: which frame it takes next."""

    index: int
    canvas: Canvas
    due: Due
    _passed: int = 0
    _next: int = field(init=False)

    def __post_init__(self) -> None:
        self._next = int(self.due.ticks[0]) if len(self.due.ticks) else _NEVER

    def takes(self, ticks: int) -> bool:
        """Say whether the frame at this time is wanted: the first at or after each due time is."""
        if self.due.every:
            return True
        if ticks < self._next:
            return False
        while self._next <= ticks:
            self._passed += 1
            self._next = int(self.due.ticks[self._passed]) if self._passed < len(self.due.ticks) else _NEVER
        return True


def _decoded(
    media: Media, video: VideoFacts, plan: Plan, log: DecodeLog, threads: int
) -> Iterator[tuple[VideoFrame, float]]:
    """Yield the frames of the needed packets with their seconds, keeping the log."""
    with open_container(media.path, media.limits) as container:
        stream = container.streams[video.stream_index]
        assert isinstance(stream, VideoStream)  # noqa: S101 - narrows the type; open_media chose a video stream
        codec = stream.codec_context
        codec.options = {"max_pixels": str(media.limits.max_pixels)}
        codec.thread_type, codec.thread_count = "AUTO", threads
        tick_seconds = float(stream.time_base or 1 / av.time_base)
        ticks = round(media.start_seconds / tick_seconds) - 1
        for packet in _needed_packets(container.demux(stream), plan, log):
            try:
                decoded = codec.decode(packet)
            except av.error.FFmpegError as error:
                log.damaged_packets += 1
                log.last_damage = error.strerror or str(error)
                continue
            for frame in decoded:
                if frame.pts is None:
                    frame.pts = ticks + max(1, round(1 / ((video.frame_rate or 25.0) * tick_seconds)))
                ticks = frame.pts
                seconds = ticks * tick_seconds - media.start_seconds
                log.frames_decoded += 1
                log.last_good_seconds = seconds
                yield frame, seconds


def _needed_packets(
    packets: Iterator[Packet[VideoStream]], plan: Plan, log: DecodeLog
) -> Iterator[Packet[VideoStream] | None]:
    """Drop what the plan does not need; end with None, which makes the decoder give out what it holds back."""
    needed = iter(plan.needed.tobytes())
    try:
        for packet in packets:
            if packet.size and next(needed, 1):
                yield packet
    except av.error.FFmpegError as error:
        log.broke_off = error.strerror or str(error)
    yield None
