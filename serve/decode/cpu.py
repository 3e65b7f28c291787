"""Decode on the CPU with PyAV: one pass through the file, several views, exact times."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain

import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from model_zoo.errors import CorruptMediaError
from model_zoo.values import Frames
from serve.decode.canvas import Batch
from serve.decode.packets import Packets, runs_of
from serve.decode.runs import Run, RunDecoder, Taken
from serve.decode.wanted import DecodeLog, Wanted
from serve.media import Media
from serve.sampling import Plan
from serve.stamp import check_unchanged, reopen

MOST_DECODERS = 8  # each holds up to 17 frames: 50 MB at 1080p
MOST_RUN_PACKETS = 600  # of a run that is decoded on one thread: these packets and these pictures wait in memory
MOST_RUN_BYTES = 64_000_000
MOST_WAITING_BYTES = 128_000_000  # of the packets of all runs that wait or are decoded


def frames(
    media: Media, wanted: Sequence[Wanted], plan: Plan, log: DecodeLog, threads: int
) -> Iterator[tuple[int, Frames]]:
    """Yield (index into `wanted`, batch), every asker's batches in time order, as soon as they are full.

    Damaged packets are passed over and counted; when the file breaks off, what was decoded is yielded all the same
    and the log says where. Raises CorruptMediaError when not one frame comes out.
    """
    video = media.facts.video
    if video is None or plan.strategy == "none":
        return
    batches = [Batch(item.view, video, item.batch) for item in wanted]
    with reopen(media.path, media.limits, media.stamp) as container:
        runs = runs_of(container, video.stream_index, plan, log)
        views = [item.view for item in wanted]
        sizes = [3 * view.width * view.height for view in views]
        for asker, seconds, picture in _pictures(
            runs, plan, log, threads, lambda: RunDecoder(media, views, plan.even_ticks), sizes
        ):
            batch = batches[asker].add(picture, seconds)
            if batch is not None:
                yield asker, batch
    check_unchanged(media.path, media.stamp)
    if log.frames_decoded == 0:
        raise CorruptMediaError(
            f"{media.facts.name}: not one frame could be decoded: {log.last_damage or 'no key frame'}; "
            "upload the file again or repair it"
        )
    for asker, unfilled in enumerate(batches):
        rest = unfilled.flush()
        if rest is not None:
            yield asker, rest


def _pictures(
    runs: Iterator[Run],
    plan: Plan,
    log: DecodeLog,
    threads: int,
    new_decoder: Callable[[], RunDecoder],
    picture_bytes: Sequence[int],
) -> Iterator[Taken]:
    """Decode short runs each on a thread of its own, long ones with threads that share the frames of each.

    Runs on threads of their own waste nothing on waiting for each other, while frames that hang on each other do; but
    the pictures of such a run wait in memory until the runs before it are over.
    """
    if len(plan.runs) > 1 and _are_short(plan, picture_bytes):
        yield from _in_parallel(runs, log, min(threads, MOST_DECODERS), new_decoder)
        return
    with new_decoder() as decoder:
        for run in runs:
            yield from decoder.decode(run, log, threads)


def _are_short(plan: Plan, picture_bytes: Sequence[int]) -> bool:
    """Say whether every run is short enough to be held in memory."""
    ends = [*plan.runs[1:].tolist(), len(plan.needed)]
    packets = max(end - start for start, end in zip(plan.runs.tolist(), ends, strict=True))
    edges = [*plan.run_ticks.tolist(), np.iinfo(np.int64).max]
    waiting = sum(
        size * np.diff(np.searchsorted(due.ticks, edges)) for size, due in zip(picture_bytes, plan.due, strict=True)
    )
    return packets <= MOST_RUN_PACKETS and int(np.max(waiting)) <= MOST_RUN_BYTES


def _in_parallel(
    runs: Iterator[Run], log: DecodeLog, threads: int, new_decoder: Callable[[], RunDecoder]
) -> Iterator[Taken]:
    """Decode runs on several threads, a decoder each; yield their pictures in order.

    A run whose packets alone are more than may wait is decoded while it is read.
    """
    mine = threading.local()
    stack, opening = ExitStack(), threading.Lock()

    def decode(run: Run) -> tuple[list[Taken], DecodeLog]:
        if not hasattr(mine, "decoder"):
            decoder = new_decoder()
            with opening:
                mine.decoder = stack.enter_context(decoder)
        own = DecodeLog()
        return list(mine.decoder.decode(run, own, 1)), own

    waiting = _Waiting(threads, log)
    with stack, ThreadPoolExecutor(threads, "reelwarden-decode") as pool:
        try:
            for run in runs:
                packets = iter(run.packets)
                held, held_bytes = yield from waiting.hold(packets)
                if held_bytes > MOST_WAITING_BYTES:
                    with new_decoder() as decoder:
                        yield from decoder.decode(Run(packets=chain(held, packets), due=run.due), log, threads)
                else:
                    waiting.runs.append((pool.submit(decode, Run(packets=held, due=run.due)), held_bytes))
            while waiting.runs:
                yield from waiting.first()
        finally:
            for future, _ in waiting.runs:
                future.cancel()


class _Waiting:
    """Runs that are being decoded or wait for it, and the bytes of their packets."""

    def __init__(self, threads: int, log: DecodeLog) -> None:
        self.runs: deque[tuple[Future[tuple[list[Taken], DecodeLog]], int]] = deque()
        self._threads, self._log = threads, log

    def hold(self, packets: Packets) -> Generator[Taken, None, tuple[list[Packet[VideoStream]], int]]:
        """Hold the packets of one more run, or the first that are more than may wait; return them and their bytes.

        Yields the pictures of the runs that had to be over before that.
        """
        held: list[Packet[VideoStream]] = []
        held_bytes, waiting_bytes = 0, sum(size for _, size in self.runs)
        for packet in packets:
            held.append(packet)
            held_bytes += packet.size
            while self.runs and (len(self.runs) > self._threads or waiting_bytes + held_bytes > MOST_WAITING_BYTES):
                waiting_bytes -= self.runs[0][1]
                yield from self.first()
            if held_bytes > MOST_WAITING_BYTES:
                break
        return held, held_bytes

    def first(self) -> Iterator[Taken]:
        """Yield the pictures of the run that waits longest."""
        taken, own = self.runs.popleft()[0].result()
        self._log.add(own)
        yield from taken
