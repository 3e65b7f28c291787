"""Read the frames of a media file: plan, decode ahead of the reader, and say afterwards how it went."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType

import numpy as np

from model_zoo.report import DecodeFacts
from model_zoo.values import Frames
from serve.decode import cpu, fallback, still
from serve.decode.ahead import ahead as run_ahead
from serve.decode.choose import Choice, check_setting, choose
from serve.decode.index import read_index
from serve.decode.nvdec import NoNvdec, Nvdec
from serve.decode.wanted import DecodeLog, Wanted
from serve.media import Media
from serve.sampling import Due, Plan, Strategy, make_plan

__all__ = ["Reading", "Wanted", "read"]


class Reading:
    """The batches of one media file: enter it, iterate over (index into `wanted`, Frames), then ask for `facts`."""

    def __init__(
        self,
        media: Media,
        wanted: Sequence[Wanted],
        backend: str,
        threads: int,
        ahead: int,
        nvdec: Nvdec | NoNvdec | None = None,
    ) -> None:
        check_setting(backend, nvdec)
        self._media, self._wanted, self._threads, self._ahead = media, tuple(wanted), threads, ahead
        self._asked, self._nvdec = backend, nvdec
        self._choice = Choice("cpu", "nothing was read yet", "nothing")
        self._log = DecodeLog()
        self._stack = ExitStack()
        self._broke_off: str | None = None
        self.plan: Plan = _nothing("nothing was read yet", len(self._wanted))

    def __enter__(self) -> Reading:
        self.plan, self._broke_off = _plan(self._media, self._wanted)
        self._choice = choose(self._media, self.plan, self._asked, self._threads, self._nvdec)
        self._batches = self._stack.enter_context(run_ahead(self._frames(), self._ahead))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[tuple[int, Frames]]:
        return self._batches

    def _frames(self) -> Generator[tuple[int, Frames], None, None]:
        job = self._media, self._wanted, self.plan, self._log, self._threads
        if self._media.picture is not None:
            yield from still.frames(self._media, self._media.picture, self._wanted, self._log)
        elif self._choice.nvdec is None:
            yield from cpu.frames(*job)
        else:
            yield from fallback.frames(*job, self._choice.nvdec)

    @property
    def expected(self) -> tuple[int, ...]:
        """How many frames each asker is going to get, if all its packets can be decoded."""
        return tuple(len(due.ticks) for due in self.plan.due)

    @property
    def facts(self) -> DecodeFacts:
        """How the frames were obtained; complete once the iteration is over."""
        log, plan = self._log, self.plan
        broke_off = self._broke_off or log.broke_off or self._lost()
        return DecodeFacts(
            backend=self._choice.backend,
            backend_reason=self._choice.reason,
            backend_cause=self._choice.cause,
            fallback_reason=log.fallback,
            strategy=plan.strategy,
            strategy_reason="; ".join(part for part in (plan.reason, log.size_change) if part),
            interval_seconds=plan.interval_seconds,
            tolerance_seconds=plan.tolerance_seconds,
            keyframe_interval_seconds=plan.keyframe_interval_seconds,
            frames_decoded=log.frames_decoded,
            frames_analyzed=log.frames_analyzed,
            analyzed_seconds=round(self._analyzed_seconds(), 6),
            last_good_seconds=None if log.last_good_seconds is None else round(log.last_good_seconds, 6),
            truncated=broke_off is not None,
            truncated_reason=broke_off,
        )

    def _lost(self) -> str | None:
        """Say what could not be decoded in the middle of the file."""
        if not self._log.damaged_packets:
            return None
        return f"{self._log.damaged_packets:,} packets could not be decoded: {self._log.last_damage}"

    def _analyzed_seconds(self) -> float:
        """Return the end of the video, or of the last frame when the frames that should follow it never came."""
        last, plan = self._log.last_good_seconds, self.plan
        if last is None:
            return 0.0
        came_to_the_end = last > plan.last_needed_seconds - 1.5 * plan.frame_seconds
        return plan.end_seconds if came_to_the_end else last + plan.frame_seconds


def read(
    media: Media,
    wanted: Sequence[Wanted],
    backend: str = "auto",
    threads: int = 2,
    ahead: int = 4,
    nvdec: Nvdec | NoNvdec | None = None,
) -> Reading:
    """Prepare one decode of a media file that serves all of `wanted`.

    `threads` decode, at most `ahead` batches wait for the reader; `nvdec` is the video engine to use, by default the
    one that is found. Raises BackendError at once for a backend that does not exist, or not here; entering raises
    MediaLimitError or CorruptMediaError, iterating CorruptMediaError before the first batch.
    """
    return Reading(media, wanted, backend, threads, ahead, nvdec)


def _plan(media: Media, wanted: Sequence[Wanted]) -> tuple[Plan, str | None]:
    if media.facts.video is None:
        return _nothing("there is no picture in it", len(wanted)), None
    if not wanted:
        return _nothing("no frames were asked for", 0), None
    if media.facts.kind == "image":
        return _one_picture(len(wanted)), None
    index = read_index(media)
    return make_plan(index, [item.interval_seconds for item in wanted]), index.broke_off


def _nothing(reason: str, askers: int) -> Plan:
    due = tuple(Due(every=False, ticks=np.empty(0, np.int64)) for _ in range(askers))
    return _plan_without_index("none", reason, due)


def _one_picture(askers: int) -> Plan:
    at_once = np.full(1, np.iinfo(np.int64).min)
    due = tuple(Due(every=False, ticks=at_once) for _ in range(askers))
    return _plan_without_index("image", "a single picture", due)


def _plan_without_index(strategy: Strategy, reason: str, due: tuple[Due, ...]) -> Plan:
    return Plan(
        strategy=strategy,
        reason=reason,
        interval_seconds=0.0,
        tolerance_seconds=0.0,
        keyframe_interval_seconds=None,
        needed=np.ones(int(strategy == "image"), bool),
        runs=np.zeros(1, np.intp),
        run_ticks=np.zeros(1, np.int64),
        due=due,
        end_seconds=0.0,
        frame_seconds=0.0,
        last_needed_seconds=0.0,
        tick_seconds=1.0,
    )
