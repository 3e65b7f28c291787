"""Single pictures of a video, as JPEG files: found by a seek each, without decoding what lies between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import av
from av.container import InputContainer
from av.stream import Discard
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from model_zoo.report import VideoFacts
from model_zoo.values import View
from serve.decode.canvas import Scaler
from serve.jpeg import encode
from serve.media import Media
from serve.stamp import reopen

LONGER_SIDE = 640  # pixels of a still
NEAR_SECONDS = 1.0  # a picture so little ahead is decoded towards, not sought


@dataclass(frozen=True, slots=True)
class Still:
    """One picture of a video."""

    seconds: float  # of the frame that was really decoded
    jpeg: bytes


def still_view(video: VideoFacts) -> View:
    """Return the view that a still is taken with: the whole upright frame, never larger than it is."""
    share = min(1.0, LONGER_SIDE / max(video.width, video.height))
    return View(max(1, round(video.width * share)), max(1, round(video.height * share)))


def stills(media: Media, seconds: Sequence[float]) -> list[Still]:
    """Return the frame nearest to each time, in time order, each frame once; what cannot be decoded is left out.

    Raises CorruptMediaError where the file has changed since it was opened.
    """
    video = media.facts.video
    if video is None or not seconds:
        return []
    scaler = Scaler(still_view(video), video)
    found: dict[float, Still] = {}
    with reopen(media.path, media.limits, media.stamp) as container:
        stream = container.streams[video.stream_index]
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        walk = _Walk(container, stream, media, 0.5 / (video.frame_rate or 25.0))  # type: ignore[arg-type]
        for wanted in sorted(set(seconds)):
            frame = walk.to(wanted)
            if frame is not None and (at := walk.seconds) not in found:
                found[at] = Still(at, encode(scaler.picture(frame)))
    return list(found.values())


class _Walk:
    """Goes forward through a video, by decoding where the way is short and by seeking where it is long."""

    def __init__(self, container: InputContainer, stream: VideoStream, media: Media, half_frame_seconds: float) -> None:
        self._container, self._stream = container, stream
        self._moves, self._start_seconds = media.facts.kind == "video", media.start_seconds
        self._half_frame_seconds = half_frame_seconds
        self._frame: VideoFrame | None = None
        self.seconds = float("-inf")  # of the frame that was reached

    def to(self, wanted: float) -> VideoFrame | None:
        """Return the frame nearest to a time that is not before the last one; None where there is damage."""
        if self._frame is not None and (not self._moves or self.seconds >= wanted - self._half_frame_seconds):
            return self._frame
        try:
            if self._moves and wanted - self.seconds > NEAR_SECONDS:
                ticks = int((wanted + self._start_seconds) / self._stream.time_base)  # type: ignore[operator]
                self._container.seek(ticks, stream=self._stream)
            for frame in self._container.decode(self._stream):
                self._frame = frame
                self.seconds = round((frame.time or 0.0) - self._start_seconds, 6) if self._moves else 0.0
                if not self._moves or self.seconds >= wanted - self._half_frame_seconds:
                    break
        except av.error.FFmpegError:
            return None
        return self._frame
