"""Choose which packets to decode: the fewest that still give a frame within the tolerance of every asked time.

The index of packets tells, before anything is decoded, which frame is nearest to every asked time and which packets
it hangs on: those from the key frame before it that other frames refer to. All others are dropped. A sample may move
to a key frame next to it, by at most a quarter of its interval and half a second, where that lets the decoder skip
the end of a group of pictures. The tolerance in the plan is the largest distance that really occurs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from serve.decode.index import Flags, PacketIndex

Strategy = Literal["all", "skip_nonreference", "seek", "keyframes", "image", "none"]
Ticks = NDArray[np.int64]
Positions = NDArray[np.intp]

_EVER = int(np.iinfo(np.int64).min)
MOST_SHIFT_SHARE = 0.25  # of the interval
MOST_SHIFT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Due:
    """Which frames one asker is given."""

    every: bool  # whatever comes out of the decoder
    ticks: Ticks  # (S,) ascending; unless `every`, the first frame at or after each of these times
    after: int = _EVER  # with `every`: only frames after this time


@dataclass(frozen=True, slots=True)
class Plan:
    """Which packets are decoded, which frames are delivered, and why so."""

    strategy: Strategy
    reason: str
    interval_seconds: float
    tolerance_seconds: float
    keyframe_interval_seconds: float | None
    needed: Flags  # (P,) packets to decode, in decoding order
    runs: Positions  # (R,) where decoding can start afresh: the needed packets between two of these hang together
    run_ticks: Ticks  # (R,) time of the first frame of each run
    due: tuple[Due, ...]  # one per asker
    end_seconds: float  # of the last frame
    frame_seconds: float  # usual distance of two frames
    last_needed_seconds: float  # when the last frame that is decoded is shown
    tick_seconds: float
    even_ticks: int | None = None  # distance that all frames are given, where the times in the file are of no use

    def due_between(self, first: int, end: int) -> tuple[Due, ...]:
        """Return what is due from one tick on and before another."""
        return tuple(
            replace(due, ticks=due.ticks[np.searchsorted(due.ticks, first) : np.searchsorted(due.ticks, end)])
            for due in self.due
        )

    def after(self, given: Sequence[int | None]) -> Plan:
        """Return what is left to do when each asker was given all up to a tick; None is nothing yet."""
        first = min(_EVER if ticks is None else ticks for ticks in given)
        run = max(0, int(np.searchsorted(self.run_ticks, first, side="right")) - 1)
        needed = self.needed.copy()
        needed[: self.runs[run]] = False
        due = tuple(
            one
            if ticks is None
            else replace(one, ticks=one.ticks[np.searchsorted(one.ticks, ticks, side="right") :], after=ticks)
            for one, ticks in zip(self.due, given, strict=True)
        )
        return replace(self, needed=needed, runs=self.runs[run:], run_ticks=self.run_ticks[run:], due=due)


def most_shift_seconds(interval_seconds: float) -> float:
    """Return how far a sample may move from its asked time to a key frame."""
    return min(MOST_SHIFT_SHARE * interval_seconds, MOST_SHIFT_SECONDS)


def make_plan(index: PacketIndex, intervals_seconds: Sequence[float]) -> Plan:
    """Plan one decode that serves all the intervals; 0 asks for every frame."""
    if not index.timed:
        return _plan_untimed(index, intervals_seconds)
    order = np.flatnonzero(index.shown)
    order = order[np.argsort(index.ticks[order], kind="stable")]  # (F,) positions of shown frames, by time
    every = [interval == 0 for interval in intervals_seconds]
    # where all is decoded anyway, moving a sample saves nothing
    chosen = [_choose(index, order, interval, movable=not any(every)) for interval in intervals_seconds]
    targets = np.zeros(len(index.ticks), bool)
    for positions, _ in chosen:
        targets[positions] = True
    needs = _needed(index, targets)
    if any(every):
        needs = _Needs(np.ones_like(targets), np.zeros(1, np.intp), beyond=0, unreferred=0)
    strategy, shortest = _strategy(index, needs), min(intervals_seconds, default=0.0)
    tolerance = max([shift for _, shift in chosen], default=0.0)
    return Plan(
        strategy=strategy,
        reason=_reason(index, needs, strategy, int(targets.sum()), shortest),
        interval_seconds=shortest,
        tolerance_seconds=tolerance,
        keyframe_interval_seconds=_keyframe_interval(index),
        needed=needs.packets,
        runs=needs.runs,
        run_ticks=index.ticks[needs.runs],
        due=tuple(
            Due(every=all_, ticks=np.sort(index.ticks[positions]))
            for all_, (positions, _) in zip(every, chosen, strict=True)
        ),
        end_seconds=index.end_seconds,
        frame_seconds=index.frame_seconds,
        last_needed_seconds=float(index.seconds(index.ticks[needs.packets & index.shown]).max()),
        tick_seconds=index.tick_seconds,
    )


def _asked(times: NDArray[np.float64], end_seconds: float, interval_seconds: float) -> NDArray[np.float64]:
    """Return the asked times: every interval from the first of the frames' times (F,) on, up to the end of the last.

    Where that is often within a frame, only those on both sides of a frame: no other has one nearer, so that
    there are never more than two for each frame.
    """
    first_seconds = times[0]
    count = max(1, int(np.ceil((end_seconds - first_seconds) / interval_seconds - 1e-9)))
    steps = np.arange(min(count, 2 * len(times)), dtype=np.float64)
    if count > len(steps):
        before = np.floor((times - first_seconds) / interval_seconds)
        steps = np.unique(np.concatenate([before, before + 1]))
    asked: NDArray[np.float64] = first_seconds + steps[steps < count] * interval_seconds
    return asked


def _choose(index: PacketIndex, order: Positions, interval_seconds: float, *, movable: bool) -> tuple[Positions, float]:
    """Return the positions (S,) of the frames to deliver and their largest distance from an asked time."""
    if interval_seconds == 0:
        return order, 0.0
    times = index.seconds(index.ticks[order])  # (F,) ascending
    asked = _asked(times, times[-1] + index.frame_seconds / 2, interval_seconds)
    exact = order[_nearest(times, asked)]
    most_shift = most_shift_seconds(interval_seconds)
    chosen = _move_to_keyframes(index, order, asked, exact, most_shift) if movable else exact
    distance = np.abs(index.seconds(index.ticks[chosen]) - asked)
    positions, group = np.unique(chosen, return_inverse=True)
    least = np.full(len(positions), np.inf)
    np.minimum.at(least, group, distance)  # a frame may be nearest to several asked times
    return positions, float(least.max())


def _nearest(times: NDArray[np.float64], asked: NDArray[np.float64]) -> Positions:
    """Return for each asked time the position of the nearest of the ascending times; the earlier one of two."""
    after = np.clip(np.searchsorted(times, asked), 1, max(1, len(times) - 1))
    if len(times) == 1:
        return np.zeros(len(asked), np.intp)
    before = after - 1
    return np.where(asked - times[before] <= times[after] - asked + 1e-9, before, after)


def _move_to_keyframes(
    index: PacketIndex, order: Positions, asked: NDArray[np.float64], exact: Positions, most_shift: float
) -> Positions:
    """Move the last samples of each group of pictures to a key frame, where one is near enough.

    Only the last ones: what comes before another sample of its group has to be decoded anyway.
    """
    keys = order[index.key[order]]
    if len(keys) == 0:
        return exact
    key_times = index.seconds(index.ticks[keys])
    near = keys[_nearest(key_times, asked)]
    movable = np.abs(index.seconds(index.ticks[near]) - asked) <= most_shift + 1e-9
    group = np.cumsum(index.key)[exact]  # (S,) the group of pictures of each sample
    fixed_end = np.zeros(int(group.max()) + 1, np.intp)  # last position of a sample that cannot move, by group
    np.maximum.at(fixed_end, group[~movable], exact[~movable] + 1)
    return np.where(movable & (exact >= fixed_end[group]), near, exact)


@dataclass(frozen=True, slots=True)
class _Needs:
    """What the target frames hang on."""

    packets: Flags  # (P,)
    runs: Positions  # (R,)
    beyond: int  # packets after the last target of a group of pictures
    unreferred: int  # packets between targets that can be dropped one by one


def _needed(index: PacketIndex, targets: Flags) -> _Needs:
    """Find the packets that the target frames hang on."""
    packets = len(index.ticks)
    keys = np.flatnonzero(index.key)
    if len(keys) == 0 or keys[0] > 0:
        keys = np.concatenate([[0], keys])  # without a key frame to start from, decoding starts at the beginning
    group = np.searchsorted(keys, np.arange(packets), side="right") - 1
    leading = index.ticks < index.ticks[keys[group]]  # shown before its key frame: hangs on the group before, too
    start = keys[np.where(leading, np.maximum(group - 1, 0), group)]
    across = _cover(start, np.flatnonzero(targets & leading), packets)
    covered = _cover(start, np.flatnonzero(targets & ~leading), packets) & ~leading | across
    needed = covered & ~index.disposable | targets
    return _Needs(
        packets=needed,
        runs=keys[needed[keys] & ~_cover(start + 1, np.flatnonzero(targets & leading), packets)[keys]],
        beyond=int((~covered & ~needed).sum()),
        unreferred=int((covered & ~needed).sum()),
    )


def _cover(start: Positions, targets: Positions, packets: int) -> Flags:
    """Mark all packets from the start (P,) of each target to the target."""
    steps = np.zeros(packets + 1, np.int64)
    np.add.at(steps, start[targets], 1)
    np.add.at(steps, targets + 1, -1)
    return np.cumsum(steps[:-1]) > 0


def _strategy(index: PacketIndex, needs: _Needs) -> Strategy:
    """Name the plan by what saves most."""
    if needs.packets.all():
        return "all"
    if index.key[needs.packets].all():
        return "keyframes"
    return "seek" if needs.beyond > needs.unreferred else "skip_nonreference"


def _reason(index: PacketIndex, needs: _Needs, strategy: Strategy, samples: int, interval_seconds: float) -> str:
    """Say in one sentence, with numbers, why the plan is what it is."""
    packets, spacing = len(needs.packets), _keyframe_interval(index)
    keys = "a single key frame" if spacing is None else f"key frames every {spacing:.2f} s"
    if strategy == "all" and interval_seconds == 0:
        return f"every frame is asked for, so all {packets:,} are decoded"
    asked = f"{samples:,} samples every {interval_seconds:g} s"
    if strategy == "all":
        return (
            f"{asked} need all {packets:,} frames: {keys}, and other frames refer to every one before the last sample"
        )
    decoded = f"{int(needs.packets.sum()):,} of {packets:,} frames are decoded for {asked}"
    if strategy == "keyframes":
        return f"{decoded}: each has a key frame within its tolerance ({keys})"
    beyond = f"{needs.beyond:,} lie between a sample and the key frame where decoding starts again ({keys})"
    unreferred = f"{needs.unreferred:,} are needed by no other frame"
    return f"{decoded}: {beyond}, {unreferred}" if strategy == "seek" else f"{decoded}: {unreferred}, {beyond}"


def _keyframe_interval(index: PacketIndex) -> float | None:
    """Return the mean distance of key frames, None where there are fewer than two."""
    times = np.sort(index.seconds(index.ticks[index.key]))
    return float((times[-1] - times[0]) / (len(times) - 1)) if index.timed and len(times) > 1 else None


def _plan_untimed(index: PacketIndex, intervals_seconds: Sequence[float]) -> Plan:
    """Decode everything, count the frames, and take the first after half a frame before each asked time."""
    due = []
    times = np.arange(len(index.ticks), dtype=np.float64) * index.frame_seconds
    for interval in intervals_seconds:
        asked = _asked(times, index.end_seconds, interval) if interval else np.empty(0)
        clock = (asked - index.frame_seconds / 2 + index.start_seconds) / index.tick_seconds
        due.append(Due(every=interval == 0, ticks=np.ceil(clock).astype(np.int64)))
    return Plan(
        strategy="all",
        reason=f"the packets carry no usable times, so all {len(index.ticks):,} are decoded and counted",
        interval_seconds=min(intervals_seconds, default=0.0),
        tolerance_seconds=index.frame_seconds / 2 if any(intervals_seconds) else 0.0,
        keyframe_interval_seconds=None,
        needed=np.ones(len(index.ticks), bool),
        runs=np.zeros(1, np.intp),
        run_ticks=index.ticks[:1],
        due=tuple(due),
        end_seconds=index.end_seconds,
        frame_seconds=index.frame_seconds,
        last_needed_seconds=index.end_seconds - index.frame_seconds,
        tick_seconds=index.tick_seconds,
        even_ticks=max(1, round(index.frame_seconds / index.tick_seconds)),
    )
