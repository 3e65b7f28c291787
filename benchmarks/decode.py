"""Decode every frame of a 1080p H.264 video, as it is and resized, against ffmpeg, PyAV and OpenCV.

All use as many decoding threads as there are cores. "Nothing resized" counts frames: `ffmpeg -f null` against this
project's reader with nobody asking for a picture (opening, hashing and indexing the file included). "Resized" gives
640x360 RGB arrays: ffmpeg by a pipe (bicubic, its default), PyAV with one shared reformatter (bilinear, its default),
OpenCV with resize (bilinear, its default), this project with its area filter. Ratios are against the fastest peer.
"""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import av
import cv2
from av.video.reformatter import VideoReformatter

from benchmarks.clips import real_clip
from benchmarks.harness import Case, Figure, compare, write
from model_zoo.values import View
from serve.containers import open_container
from serve.cores import usable_threads
from serve.decode.index import read_index
from serve.decode.reading import Wanted, read
from serve.decode.runs import Run, RunDecoder
from serve.decode.wanted import DecodeLog
from serve.media import Limits, open_media

SECONDS = 60
WIDTH, HEIGHT = 640, 360
THREADS = usable_threads()
OURS = "reelwarden"


def main() -> None:
    """Measure both tables."""
    clip = real_clip(SECONDS)
    plain = compare([Case("ffmpeg -f null", lambda: ffmpeg_null(clip)), Case(OURS, lambda: ours_counting(clip))], OURS)
    resized = compare(
        [
            Case("ffmpeg pipe", lambda: ffmpeg_pipe(clip)),
            Case("PyAV, shared reformatter", lambda: pyav_resized(clip)),
            Case("OpenCV read and resize", lambda: opencv_resized(clip)),
            Case(OURS, lambda: ours_resized(clip)),
        ],
        OURS,
    )
    tables = {"nothing resized": against_fastest(plain), f"resized to {WIDTH}x{HEIGHT}": against_fastest(resized)}
    write("decode", __doc__ or "", tables, clip=clip.name, threads=THREADS)


def against_fastest(figures: list[Figure]) -> tuple[str, list[Figure]]:
    """Name the fastest peer, and turn all ratios to it."""
    fastest = min((figure for figure in figures if figure.case != OURS), key=lambda figure: figure.wall_seconds)
    return fastest.case, [
        replace(
            figure,
            wall_ratio=round(fastest.wall_seconds / figure.wall_seconds, 3),
            cpu_ratio=round(fastest.cpu_seconds / figure.cpu_seconds, 3),
        )
        for figure in figures
    ]


def ffmpeg_null(clip: Path) -> int:
    """Decode with the ffmpeg command and throw the frames away."""
    words = ["-threads", str(THREADS), "-i", str(clip), "-map", "0:v:0", "-f", "null", "-"]
    subprocess.run(["ffmpeg", "-v", "error", *words], check=True)
    return frames_in(clip)


def frames_in(clip: Path) -> int:
    """Return the number of frames that the header names."""
    with av.open(str(clip)) as container:
        return container.streams.video[0].frames


def ours_counting(clip: Path) -> int:
    """Decode every frame with this project's reader, with nobody asking for a picture."""
    media = open_media(clip, Limits())
    read_index(media)
    log = DecodeLog()
    with open_container(clip, media.limits) as container, RunDecoder(media, []) as decoder:
        packets = (packet for packet in container.demux(video=0) if packet.size)
        assert list(decoder.decode(Run(packets=packets, due=()), log, THREADS)) == []
    return log.frames_decoded


def ffmpeg_pipe(clip: Path) -> int:
    """Let the ffmpeg command resize, and read the RGB frames from a pipe."""
    words = ["-threads", str(THREADS), "-i", str(clip), "-map", "0:v:0", "-vf", f"scale={WIDTH}:{HEIGHT}"]
    command = ["ffmpeg", "-v", "error", *words, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    return count_pictures(command, WIDTH * HEIGHT * 3)


def count_pictures(command: list[str], size: int) -> int:
    """Read pictures of `size` bytes from a command's output until it ends."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=size) as process:
        assert process.stdout is not None
        count = 0
        while len(process.stdout.read(size)) == size:
            count += 1
    return count


def pyav_resized(clip: Path) -> int:
    """Decode and resize with PyAV, one reformatter for all frames."""
    reformatter, count = VideoReformatter(), 0
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.thread_count = "AUTO", THREADS
        for frame in container.decode(stream):
            reformatter.reformat(frame, WIDTH, HEIGHT, "rgb24").to_ndarray()
            count += 1
    return count


def opencv_resized(clip: Path) -> int:
    """Decode and resize with OpenCV, BGR as it comes."""
    cv2.setNumThreads(THREADS)
    capture, count = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, THREADS]), 0
    while True:
        there, frame = capture.read()
        if not there:
            capture.release()
            return count
        cv2.resize(frame, (WIDTH, HEIGHT))
        count += 1


def ours_resized(clip: Path) -> int:
    """Read every frame with this project, in batches of 16."""
    media = open_media(clip, Limits())
    with read(media, [Wanted(View(WIDTH, HEIGHT), 0, 16)], backend="cpu", threads=THREADS) as reading:
        return sum(len(frames) for _, frames in reading)


if __name__ == "__main__":
    main()
