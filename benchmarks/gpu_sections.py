"""What gpu_check measures, section by section; each takes what it runs on, so that tests run it on stand-ins."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np

from model_zoo.errors import BackendError
from model_zoo.report import VideoFacts
from model_zoo.values import View
from serve.decode.annexb import with_start_codes
from serve.decode.jobs import Colours, Finish, Jobs, Layout, Surface, row_bytes
from serve.decode.nvdec import Nvdec
from serve.decode.paint import Painter
from serve.decode.reading import Wanted, read
from serve.decode.sessions import kind_of
from serve.in_flight import ON_GPU, InFlight
from serve.limits import Limits
from serve.media import open_media
from serve.pipeline import Analyzer
from tests.clips import write_clip
from tests.twin import HostPainter, paint_with_numpy

Upload = Callable[[np.ndarray], Any]  # host bytes -> something that keeps them on the device, with `.address`
Prepare = Callable[[Jobs], Callable[[], None]]  # jobs -> what starts to paint them
SecondsOf = Callable[[Callable[[], None], int], float]  # what is started, so many times -> seconds until all is done
WIDE_VIEW = View(640, 640)  # 20 MB for a batch of 16
LEAST_FRAMES = 3000  # that a rate is measured on: before that, what starts and ends counts for too much
CODECS = {
    "h264": ("clip_h264.mp4", {"codec": "libx264", "options": {"preset": "veryfast", "g": "60"}}),
    "hevc": (
        "clip_hevc.mp4",
        {"codec": "libx265", "options": {"preset": "ultrafast", "x265-params": "log-level=none"}},
    ),
    "vp9": ("clip_vp9.webm", {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8", "g": "60"}}),
    "av1": ("clip_av1.mp4", {"codec": "libsvtav1", "options": {"preset": "12"}}),
}


def clips(folder: Path, size: tuple[int, int], frames: int, codecs: Sequence[str]) -> dict[str, Path]:
    """Write one clip of each codec."""
    made = {}
    for codec in codecs:
        name, how = CODECS[codec]
        made[codec] = write_clip(folder / name, frames=frames, size=size, **how)
    return made


def kernel_parity(painter: Painter, upload: Upload, width: int = 1920, height: int = 1080) -> dict[str, Any]:
    """Paint random surfaces on the device and with the twin on the host; give the largest difference of 255."""
    found = {}
    for name, view in {
        "letterbox 640": View(640, 640, "letterbox", pad=114),
        "stretch 224": View(224, 224),
        "cover 224": View(224, 224, "cover", crop_share=0.875),
    }.items():
        noise = np.random.default_rng(7).integers(0, 256, (height * 3 // 2, width), np.uint8)
        layout = Layout(view, _facts(width, height), Colours(1, full_range=False), Finish())
        size = row_bytes(view, Finish())
        there, here = upload(noise), HostPainter()
        rows = []
        for each, base in ((painter, there.address), (here, noise.ctypes.data)):
            block = each.allocate(size)
            job = layout.job(_surface(base, width, height), block.address)
            paint_with_numpy(job) if each is here else each.paint(job)
            rows.append(each.fetch(block, (view.height, view.width, 3)).astype(int))
        found[name] = int(np.abs(rows[0] - rows[1]).max())
    return {"largest_difference": found, "allowed": 2, "passed": max(found.values()) <= 2}


def kernel_speed(
    painter: Painter,
    upload: Upload,
    prepare: Prepare,
    seconds_of: SecondsOf,
    copy_bytes_per_second: float,
    *,
    surfaces: int = 128,
    rounds: int = 20,
) -> dict[str, Any]:
    """Paint batches of 1080p surfaces into 640 x 640 rows; give bytes a second, and the share of a plain copy's.

    There are more surfaces than any cache holds, and the jobs lie on the device, as what is measured is the kernel.
    """
    view, (width, height) = View(640, 640, "letterbox"), (1920, 1080)
    finish = Finish("float16 NCHW", deviation=(255.0,) * 3)
    noise = np.random.default_rng(7).integers(0, 256, (height * 3 // 2, width), np.uint8)
    kept = [upload(noise) for _ in range(surfaces)]
    row = row_bytes(view, finish)
    block = painter.allocate(surfaces * row)
    layout = Layout(view, _facts(width, height), Colours(1, full_range=False), finish)
    jobs = [
        layout.job(_surface(one.address, width, height), block.address + number * row)
        for number, one in enumerate(kept)
    ]
    paint = prepare(np.concatenate(jobs))
    paint()
    painter.fetch(block, (1,))
    seconds = seconds_of(paint, rounds) / rounds
    rate = surfaces * (noise.nbytes + row) / seconds
    return {
        "surfaces_per_second": round(surfaces / seconds, 1),
        "bytes_per_second": round(rate),
        "copy_bytes_per_second": round(copy_bytes_per_second),
        "share_of_copy": round(rate / copy_bytes_per_second, 3),
        "goal_share": 0.6,
    }


def decode_rates(
    paths: dict[str, Path], nvdec: Nvdec, sessions: Sequence[int], threads: int, least_frames: int = LEAST_FRAMES
) -> list[dict[str, Any]]:
    """Decode clips with so many sessions at once, all frames and one a second; beside it the CPU, and bare engines.

    What the engines do not take is decoded once, to say so.
    """
    rows = []
    for codec, path in paths.items():
        taken = _is_taken(path, nvdec)
        for interval in (0.0, 1.0):
            for backend, counts in (("nvdec", sessions if taken else (1,)), ("cpu", (1,))):
                for count in counts:
                    least = least_frames if backend == "nvdec" and taken else 1
                    row = _rate(codec, path, interval, backend, count, nvdec, threads, least)
                    if interval == 0 and row["ran"] == "nvdec" and not row["fallback"]:
                        limit = engines_rate(path, nvdec, count, least_frames)
                        row["engines_frames_per_second"] = round(limit, 1)
                        row["share_of_engines"] = round(row["frames_decoded_per_second"] / limit, 3)
                    rows.append(row)
    return rows


def _is_taken(path: Path, nvdec: Nvdec) -> bool:
    with read(open_media(path, Limits()), [Wanted(View(320, 320), 0, 16)], backend="nvdec", nvdec=nvdec) as reading:
        return reading.facts.backend == "nvdec"


def engines_rate(path: Path, nvdec: Nvdec, count: int, least_frames: int = LEAST_FRAMES) -> float:
    """Return the frames a second of so many sessions when nothing is done with their surfaces."""
    video = open_media(path, Limits()).facts.video
    assert video is not None

    def one(_: int) -> int:
        with av.open(path) as container:
            stream = container.streams.video[0]
            packets = (packet for packet in container.demux(stream) if packet.size)
            with nvdec.sessions.session(kind_of(video, stream)) as session:
                return sum(1 for _ in session.surfaces(with_start_codes(packets, stream)))

    frames, seconds = _at_once(one, count, int, least_frames)
    return sum(frames) / seconds


def _at_once(
    one: Callable[[int], Any], count: int, frames_of: Callable[[Any], int], least_frames: int
) -> tuple[list[Any], float]:
    """Run something so many times at once, over and over until enough frames were decoded; return all, and the seconds.

    Before that as many are run at once: the sessions are open then, and the file is in memory.
    """
    with ThreadPoolExecutor(count) as pool:
        frames = sum(map(frames_of, pool.map(one, range(count))))
        times = max(1, -(-least_frames // max(1, frames)))
        start = time.perf_counter()
        found = list(pool.map(one, range(count * times)))
    return found, time.perf_counter() - start


def _rate(
    codec: str,
    path: Path,
    interval: float,
    backend: str,
    count: int,
    nvdec: Nvdec,
    threads: int,
    least_frames: int,
) -> dict[str, Any]:
    media = open_media(path, Limits())

    def one(_: int) -> Any:
        with read(
            media, [Wanted(View(320, 320), interval, 16)], backend=backend, threads=threads, nvdec=nvdec
        ) as reading:
            for _batch in reading:
                pass
        return reading.facts

    facts, seconds = _at_once(one, count, lambda found: int(found.frames_decoded), least_frames)
    return {
        "codec": codec,
        "interval_seconds": interval,
        "asked": backend,
        "ran": facts[0].backend,
        "reason": facts[0].backend_reason,
        "fallback": next((fact.fallback_reason for fact in facts if fact.fallback_reason), None),
        "sessions": count,
        "frames_decoded_per_second": round(sum(fact.frames_decoded for fact in facts) / seconds, 1),
        "video_seconds_per_second": round(sum(fact.analyzed_seconds for fact in facts) / seconds, 1),
    }


def fallback_cases(folder: Path, nvdec: Nvdec) -> dict[str, Any]:
    """Decode what engines do not take or do not stand; frames must come all the same."""
    options = {"x264-params": "keyint=12:bframes=2:log-level=none"}
    cases = {
        "10-bit H.264": write_clip(folder / "bits.mp4", frames=24, options=options, pixel_format="yuv420p10le"),
        "odd sizes": write_clip(folder / "odd.webm", frames=24, size=(321, 181), **CODECS["vp9"][1]),
        "truncated": write_clip(folder / "cut.ts", frames=48, options=options),
    }
    content = cases["truncated"].read_bytes()
    cases["truncated"].write_bytes(content[: len(content) * 2 // 3])
    two = folder / "two_sizes.ts"
    two.write_bytes(
        b"".join(
            write_clip(folder / f"{width}.ts", frames=24, options=options, size=(width, height)).read_bytes()
            for width, height in ((320, 192), (640, 384))
        )
    )
    cases["size change"] = two
    found = {}
    for name, path in cases.items():
        counts, facts = {}, None
        for backend in ("cpu", "nvdec"):
            with read(
                open_media(path, Limits()), [Wanted(View(160, 96), 0, 8)], backend=backend, nvdec=nvdec
            ) as reading:
                counts[backend] = sum(len(frames) for _, frames in reading)
            facts = reading.facts
        assert facts is not None
        found[name] = {
            "frames": counts,
            "same": counts["cpu"] == counts["nvdec"],
            "ran": facts.backend,
            "reason": facts.backend_reason,
            "fallback": facts.fallback_reason,
        }
    return found


def pipeline_rates(analyzer: Analyzer, path: Path, at_once: int) -> dict[str, Any]:
    """Analyze one clip alone, and some at once; the second run counts."""
    analyzer.analyze(path)
    start = time.perf_counter()
    report = analyzer.analyze(path)
    alone_seconds = time.perf_counter() - start
    start = time.perf_counter()
    with ThreadPoolExecutor(at_once) as files:
        reports = list(files.map(lambda _: analyzer.analyze(path), range(at_once)))
    seconds = time.perf_counter() - start
    stages = stage_seconds(analyzer, path)
    return {
        "backend": report.decode.backend,
        "fallbacks": [one.decode.fallback_reason for one in [report, *reports] if one.decode.fallback_reason],
        "stage_seconds": report.run.stage_seconds,
        "stages_alone_seconds": {stage: round(spent, 3) for stage, spent in stages.items()},
        "share_of_slowest_stage": round(max(stages.values()) / alone_seconds, 3),
        "frames_decoded_per_second": round(report.decode.frames_decoded / alone_seconds, 1),
        "video_hours_per_hour": round(report.decode.analyzed_seconds / alone_seconds, 1),
        "at_once": at_once,
        "frames_decoded_per_second_at_once": round(sum(one.decode.frames_decoded for one in reports) / seconds, 1),
        "video_hours_per_hour_at_once": round(sum(one.decode.analyzed_seconds for one in reports) / seconds, 1),
    }


def stage_seconds(analyzer: Analyzer, path: Path) -> dict[str, float]:
    """Return how long decoding takes when nobody looks, and how long looking takes when all is decoded."""
    watching = analyzer.watching()
    wanted = [asked for asked, _ in watching]
    start = time.perf_counter()
    with read(open_media(path, Limits()), wanted, analyzer.settings.decoder, analyzer.settings.threads) as reading:
        batches = list(reading)
    decoded = time.perf_counter()
    with InFlight[Any](ON_GPU) as in_flight:
        for index, frames in batches:
            watcher = watching[index][1]
            in_flight.begin(partial(watcher.predict, frames), None if watcher.rows_only else index)
        list(in_flight.rest())
    return {"decode": decoded - start, "models": time.perf_counter() - decoded}


def bytes_kept(work: Sequence[Callable[[], Any]], free_bytes: Callable[[], int]) -> list[int]:
    """Return how much less memory is free after each piece of work than before it."""
    free = [free_bytes()]
    for piece in work:
        piece()
        free.append(free_bytes())
    return [before - after for before, after in pairwise(free)]


def clips_of_sizes(folder: Path, count: int) -> tuple[list[Path], list[Path]]:
    """Write so many clips, each of another size; return every second one, and the others."""
    made = [
        write_clip(folder / f"size_{number}.mp4", frames=48, size=(640 + 16 * number, 360), **CODECS["h264"][1])
        for number in range(count)
    ]
    return made[0::2], made[1::2]


def hold(paths: Sequence[Path], nvdec: Nvdec, view: View = WIDE_VIEW) -> None:
    """Decode clips, one after the other, with all batches of each on the device at once; raises where one is not."""
    for path in paths:
        with read(
            open_media(path, Limits()), [Wanted(view, 0, 16, on_device=True)], backend="nvdec", nvdec=nvdec
        ) as reading:
            held = list(reading)
        if reading.facts.fallback_reason or reading.facts.backend != "nvdec":
            raise BackendError(f"{path.name}: {reading.facts.fallback_reason or reading.facts.backend_reason}")
        del held


def _surface(base: int, width: int, height: int) -> Surface:
    return Surface(base, base + width * height, width, width, width, height, wide=False)


def _facts(width: int, height: int) -> VideoFacts:
    return VideoFacts(
        stream_index=0,
        codec="h264",
        width=width,
        height=height,
        coded_width=width,
        coded_height=height,
        rotation_degrees=0,
        sample_aspect_ratio="1:1",
        frame_rate=25.0,
        start_seconds=0.0,
    )
