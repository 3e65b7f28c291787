"""Read the packets that a plan needs, run by run."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import groupby

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.stream import VideoStream

from serve.decode.runs import Run
from serve.decode.wanted import DecodeLog
from serve.sampling import Plan

Packets = Iterator["Packet[VideoStream]"]  # quoted: not subscriptable when it runs


def runs_of(container: InputContainer, stream_index: int, plan: Plan, log: DecodeLog) -> Iterator[Run]:
    """Yield the needed packets of one stream, cut into runs, each with the frames that are due in it.

    Each run must be used up before the next is asked for. Where the file breaks off the log says why.
    """
    stream = container.streams[stream_index]
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    return _split(_needed(container.demux(stream), plan, log), plan)  # type: ignore[arg-type]


def _needed(packets: Packets, plan: Plan, log: DecodeLog) -> Iterator[tuple[int, Packet[VideoStream]]]:
    """Yield the packets that the plan needs, each with its position in the file."""
    needed = plan.needed.tobytes()
    position = -1
    try:
        for packet in packets:
            if packet.size == 0:
                continue
            position += 1
            if plan.strategy == "image" and position > 0:
                return  # e.g. a gain map behind a JPEG
            if position >= len(needed) or needed[position]:
                yield position, packet
    except av.error.FFmpegError as error:
        log.broke_off = error.strerror or str(error)


def _split(packets: Iterator[tuple[int, Packet[VideoStream]]], plan: Plan) -> Iterator[Run]:
    """Cut the needed packets into runs, each with the frames that are due in it."""
    starts = plan.runs.tolist()
    edges = [np.iinfo(np.int64).min, *plan.run_ticks[1:].tolist(), np.iinfo(np.int64).max]
    for run, numbered in groupby(packets, lambda item: max(0, bisect_right(starts, item[0]) - 1)):
        yield Run(packets=(packet for _, packet in numbered), due=plan.due_between(edges[run], edges[run + 1]))
