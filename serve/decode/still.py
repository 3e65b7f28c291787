"""Deliver a single picture, which was decoded when its file was opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from av.video.frame import VideoFrame

from model_zoo.values import Frames
from serve.decode.canvas import Batch, Scaler
from serve.decode.wanted import DecodeLog, Wanted
from serve.media import Media
from serve.stamp import check_unchanged


def frames(
    media: Media, picture: VideoFrame, wanted: Sequence[Wanted], log: DecodeLog
) -> Iterator[tuple[int, Frames]]:  # fmt: skip
    """Yield (index into `wanted`, batch of one) for every asker; raises CorruptMediaError where the file changed."""
    video = media.facts.video
    if video is None or not wanted:
        return
    check_unchanged(media.path, media.stamp)
    log.frames_decoded, log.frames_analyzed, log.last_good_seconds = 1, 1, 0.0
    for asker, item in enumerate(wanted):
        batch = Batch(item.view, video, size=1).add(Scaler(item.view, video).picture(picture), 0.0)
        if batch is not None:
            yield asker, batch
