"""Sample a video at 1 frame a second as 320x180 RGB, against ffmpeg's fps filter, PyAV and OpenCV.

Clips: 60 s at 720p and 1080p, H.264 High with 2 B-frames, a key frame every 30 or 250 frames. All use as many decoding
threads as there are cores. ffmpeg: `fps=1,scale` by a pipe; PyAV: decode all, resize the first frame at or after every
second; OpenCV: grab all, retrieve and resize those; this project: open, hash, index, plan and read. Ratios are against
the fastest peer of each clip. The times of our samples are checked against the asked ones.
"""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from benchmarks.clips import real_clip
from benchmarks.decode import OURS, against_fastest, count_pictures
from benchmarks.harness import Case, Figure, compare, write
from model_zoo.values import View
from serve.cores import usable_threads
from serve.decode.reading import Wanted, read
from serve.media import Limits, open_media

SECONDS = 60
WIDTH, HEIGHT = 320, 180
THREADS = usable_threads()


def main() -> None:
    """Measure every clip."""
    tables: dict[str, tuple[str, list[Figure]]] = {}
    plans = {}
    for height in (720, 1080):
        for gop in (30, 250):
            clip = real_clip(SECONDS, height, gop)
            title = f"{height}p, a key frame every {gop} frames"
            plans[title] = check_times(clip)
            tables[title] = against_fastest(measure(clip))
    write("sampling", __doc__ or "", tables, plans=plans, threads=THREADS)


def measure(clip: Path) -> list[Figure]:
    """Measure all on one clip."""
    return compare(
        [
            Case("ffmpeg fps filter", lambda: ffmpeg_fps(clip)),
            Case("PyAV, decode all", lambda: pyav_plain(clip)),
            Case("OpenCV grab and retrieve", lambda: opencv_grab(clip)),
            Case(OURS, lambda: ours(clip)),
        ],
        OURS,
    )


def check_times(clip: Path) -> dict[str, object]:
    """Check that every asked second has a sample within the stated tolerance; return the plan in words."""
    media = open_media(clip, Limits())
    with read(media, [Wanted(View(WIDTH, HEIGHT), 1.0, 8)], backend="cpu", threads=THREADS) as reading:
        seconds = np.concatenate([frames.seconds for _, frames in reading])
    facts = reading.facts
    asked = np.arange(SECONDS)
    off = float(np.abs(seconds[None, :] - asked[:, None]).min(axis=1).max())
    assert len(seconds) == SECONDS
    assert off <= facts.tolerance_seconds + 1e-6, (off, facts.tolerance_seconds)
    return {
        "strategy": facts.strategy,
        "reason": facts.strategy_reason,
        "tolerance_seconds": facts.tolerance_seconds,
        "furthest_from_an_asked_time_seconds": round(off, 4),
    }


def ffmpeg_fps(clip: Path) -> int:
    """Let the ffmpeg command sample and resize, and read RGB frames from a pipe."""
    words = ["-threads", str(THREADS), "-i", str(clip), "-map", "0:v:0", "-vf", f"fps=1,scale={WIDTH}:{HEIGHT}"]
    command = ["ffmpeg", "-v", "error", *words, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    return count_pictures(command, WIDTH * HEIGHT * 3)


def pyav_plain(clip: Path) -> int:
    """Decode all frames with PyAV and resize the first at or after every second."""
    reformatter, count = VideoReformatter(), 0
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.thread_count = "AUTO", THREADS
        for frame in container.decode(stream):
            if frame.time >= count:
                reformatter.reformat(frame, WIDTH, HEIGHT, "rgb24").to_ndarray()
                count += 1
    return count


def opencv_grab(clip: Path) -> int:
    """Grab all frames with OpenCV, retrieve and resize the first at or after every second."""
    cv2.setNumThreads(THREADS)
    capture, count, number = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, THREADS]), 0, 0
    rate = capture.get(cv2.CAP_PROP_FPS)
    while capture.grab():
        if number / rate >= count:
            cv2.resize(capture.retrieve()[1], (WIDTH, HEIGHT))
            count += 1
        number += 1
    capture.release()
    return count


def ours(clip: Path) -> int:
    """Read one frame a second with this project."""
    media = open_media(clip, Limits())
    with read(media, [Wanted(View(WIDTH, HEIGHT), 1.0, 8)], backend="cpu", threads=THREADS) as reading:
        return sum(len(frames) for _, frames in reading)


if __name__ == "__main__":
    main()
