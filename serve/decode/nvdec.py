"""Decode with the video engine of an NVIDIA GPU: packets from PyAV, surfaces from the engine, small pictures back.

PyAV reads the file, so the plan's packets, the times and the limits are those of the CPU decoder. Whole frames stay in
the GPU's memory, where one kernel scales them into the batches of every view. A batch that only a model reads stays
there, too; the others are copied to the host. The engine says nothing of damage: where a frame that is due does not
come, NvdecError tells, and the CPU decodes the rest.
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType

import av
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from model_zoo.report import VideoFacts
from model_zoo.values import Frames, OnDevice, Pixels, View
from serve.decode.annexb import with_start_codes
from serve.decode.driver import abilities
from serve.decode.engines import engine_count
from serve.decode.jobs import Colours, Finish, Layout, Surface, row_bytes
from serve.decode.packets import runs_of
from serve.decode.paint import Block, GpuPainter, Painter
from serve.decode.picture_size import SizeWatch
from serve.decode.runs import Run, Takers
from serve.decode.sessions import Session, Sessions, kind_of
from serve.decode.wanted import DecodeLog, Wanted
from serve.devices import Gpu, look_for_gpu
from serve.media import Media
from serve.sampling import Plan
from serve.stamp import check_unchanged, reopen

_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_HIDDEN_FRAMES = {"vp8"}  # in packets of their own; those of VP9 and AV1 lie beside a frame that is shown


class NvdecError(Exception):
    """The GPU did not give what it should; the CPU decodes the rest."""


@dataclass(frozen=True, slots=True)
class Nvdec:
    """A GPU whose video engine can be used, and the sessions that are open on it."""

    gpu: Gpu
    sessions: Sessions


@dataclass(frozen=True, slots=True)
class NoNvdec:
    """There is no video engine to use here, and why so."""

    reason: str


def use_nvdec(
    gpu: Gpu, library: str = "PyNvVideoCodec", new_painter: Callable[[], Painter] = GpuPainter
) -> Nvdec | NoNvdec:
    """Import what a GPU's video engine needs; nothing of it is imported before this is called."""
    try:
        module: ModuleType = importlib.import_module(library)
        if new_painter is GpuPainter:
            importlib.import_module("cupy")
    except Exception as error:  # noqa: BLE001 - its import asks the driver, and fails in any way where that is old
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        return NoNvdec(f"the video engine of {gpu.name} cannot be used: {first}")
    return Nvdec(gpu, Sessions(module, new_painter, _engines(module, gpu)))


def _engines(library: ModuleType, gpu: Gpu) -> int:
    """Return how many video engines the driver counts, or the table where it does not say."""
    try:
        caps = abilities(library, library.cudaVideoCodec.H264, 8)
        return int(caps["num_decoder_engines"]) or engine_count(gpu)
    except Exception:  # noqa: BLE001 - what cannot be asked fails, and is told, when a session is opened
        return engine_count(gpu)


@cache
def find_nvdec() -> Nvdec | NoNvdec:
    """Return the video engine of this machine; the answer is kept for the life of the process."""
    look = look_for_gpu()
    return NoNvdec(look.reason) if look.gpu is None else use_nvdec(look.gpu)


def frames(
    media: Media, wanted: Sequence[Wanted], plan: Plan, log: DecodeLog, nvdec: Nvdec
) -> Iterator[tuple[int, Frames]]:
    """Yield (index into `wanted`, batch) as the CPU decoder does. Raises whatever goes wrong on the GPU.

    Before it raises, it yields what was painted until then, if the GPU still gives that out.
    """
    video = media.facts.video
    if video is None or plan.strategy == "none":
        return
    with reopen(media.path, media.limits, media.stamp) as container:
        stream = container.streams[video.stream_index]
        assert isinstance(stream, VideoStream)  # noqa: S101 - narrows the type; open_media chose a video stream
        kind = kind_of(video, stream)
        watch = SizeWatch(kind.codec, kind.header)
        with nvdec.sessions.session(kind) as session:
            batches = [_Batch(item, video, colours_of(stream, video), session.painter) for item in wanted]
            try:
                for run in runs_of(container, video.stream_index, plan, log):
                    yield from _run(media, stream, run, plan, log, session, batches, watch)
            except Exception:
                yield from _flush(batches, rescue=True)
                raise
            yield from _flush(batches)
    check_unchanged(media.path, media.stamp)
    if log.frames_decoded == 0:
        raise NvdecError("not one frame came out")


def _run(
    media: Media,
    stream: VideoStream,
    run: Run,
    plan: Plan,
    log: DecodeLog,
    session: Session,
    batches: Sequence[_Batch],
    watch: SizeWatch,
) -> Iterator[tuple[int, Frames]]:
    tick_seconds = float(stream.time_base or 1 / av.time_base)
    takers = Takers(media, run.due, log)
    counted = round(media.start_seconds / tick_seconds)  # where the times in the file are not believed
    owed = _owed(run, plan, session)
    hidden: set[int] = set()
    packets = watch.passing(with_start_codes(_noting(run.packets, hidden), stream))
    for told, surface in session.surfaces(packets):
        if told in hidden:
            continue
        ticks = told if plan.even_ticks is None else counted
        counted += plan.even_ticks or 0
        seconds = ticks * tick_seconds - media.start_seconds
        while owed and owed[0] <= ticks:
            if (lost := owed.popleft()) < ticks:  # frames come in the order in which they are shown
                raise NvdecError(f"the frame at {lost * tick_seconds - media.start_seconds:.2f} s did not come")
        for asker in takers.take(ticks, seconds, (surface.width, surface.height)):
            batch = batches[asker].add(surface, seconds)
            if batch is not None:
                yield asker, batch
    if (left := max(len(owed), takers.missing())) and log.broke_off is None:
        raise NvdecError(f"{left} of the frames that were due did not come")


def _owed(run: Run, plan: Plan, session: Session) -> deque[int]:
    """Return the times of the frames that are due, each of which must come; none where packets do not tell them.

    Nobody counts damage where the engine drops a frame without a word, so a later one must not stand in for it.
    """
    if plan.even_ticks is not None or session.kind.codec in _HIDDEN_FRAMES:
        return deque()
    return deque(np.unique(np.concatenate([due.ticks for due in run.due])).tolist())


def _noting(packets: Iterable[Packet[VideoStream]], hidden: set[int]) -> Iterator[Packet[VideoStream]]:
    """Pass packets on, and note the times of those that an edit list cuts away: the engine knows nothing of it."""
    for packet in packets:
        if packet.is_discard and packet.pts is not None:
            hidden.add(packet.pts)
        yield packet


def _flush(batches: Sequence[_Batch], *, rescue: bool = False) -> Iterator[tuple[int, Frames]]:
    """Yield what the batches hold; to rescue is to take what can be had of a GPU that failed."""
    for asker, unfilled in enumerate(batches):
        try:
            rest = unfilled.flush(fetch=rescue)
        except Exception:
            if not rescue:
                raise
            continue
        if rest is not None:
            yield asker, rest


class _Batch:
    """Rows of one view in the painter's memory: one block for all batches, or a new one for each that stays there."""

    def __init__(self, wanted: Wanted, video: VideoFacts, colours: Colours, painter: Painter) -> None:
        self._view: View = wanted.view
        self._size, self._painter, self._video = wanted.batch, painter, video
        self._stays = wanted.on_device
        finish = Finish()
        self._layout = Layout(wanted.view, video, colours, finish)
        self._row_bytes = row_bytes(wanted.view, finish)
        # models pad batches to powers of 2: what they read beyond the last row is there
        self._room = 1 << (wanted.batch - 1).bit_length() if wanted.on_device else wanted.batch
        self._block: Block | None = None
        self._seconds: list[float] = []

    def add(self, surface: Surface, seconds: float) -> Frames | None:
        """Paint a surface into the next row; return the batch when that fills it."""
        if self._block is None:
            self._block = self._painter.allocate(self._row_bytes * self._room)
        row = self._block.address + len(self._seconds) * self._row_bytes
        self._painter.paint(self._layout.job(surface, row))
        self._seconds.append(seconds)
        return self.flush() if len(self._seconds) == self._size else None

    def flush(self, *, fetch: bool = False) -> Frames | None:
        """Return what the batch holds, on the host if it does not stay or is to be fetched; None when it is empty."""
        if not self._seconds or self._block is None:
            return None
        seconds, self._seconds = self._seconds, []
        shape = (len(seconds), self._view.height, self._view.width, 3)
        rows: Pixels | OnDevice
        if self._stays and not fetch:
            rows, self._block = self._painter.hand_over(self._block, shape), None
        else:
            rows = self._painter.fetch(self._block, shape)
        return Frames(
            rows=rows,
            seconds=np.array(seconds),
            view=self._view,
            source_width=self._video.width,
            source_height=self._video.height,
        )


def colours_of(stream: VideoStream, video: VideoFacts) -> Colours:
    """Return how the stream says that its colours are meant."""
    codec = stream.codec_context
    full = int(codec.color_range) == _FULL_RANGE or (video.pixel_format or "").startswith("yuvj")
    return Colours(int(codec.colorspace), full_range=full)
