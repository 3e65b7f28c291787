"""Which packets are decoded for which samples, and what is said of it."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from serve.decode.index import PacketIndex
from serve.sampling import Plan, make_plan, most_shift_seconds

RATE = 25


def index_of(pattern: str, order: list[int] | None = None, rate: int = RATE) -> PacketIndex:
    """Make an index from a picture type per packet in decoding order: I key frame, P, b that no other refers to."""
    packets = len(pattern)
    kinds = np.array(list(pattern))
    return PacketIndex(
        ticks=np.array(order if order is not None else range(packets), np.int64),
        key=kinds == "I",
        disposable=kinds == "b",
        shown=np.ones(packets, bool),
        tick_seconds=1 / rate,
        start_seconds=0.0,
        frame_seconds=1 / rate,
        end_seconds=packets / rate,
        timed=True,
        broke_off=None,
    )


def times(index: PacketIndex, plan: Plan, asker: int = 0) -> NDArray[np.float64]:
    return index.seconds(plan.due[asker].ticks)


def test_every_frame_needs_every_packet() -> None:
    plan = make_plan(index_of("IPPPP" * 10), [0])
    assert plan.strategy == "all"
    assert plan.needed.all()
    assert plan.due[0].every
    assert plan.reason == "every frame is asked for, so all 50 are decoded"


def test_key_frames_that_lie_on_the_samples_are_all_that_is_decoded() -> None:
    index = index_of(("I" + "P" * 24) * 10)
    plan = make_plan(index, [1.0])
    assert plan.strategy == "keyframes"
    assert plan.needed.sum() == 10
    assert plan.tolerance_seconds == 0
    assert plan.keyframe_interval_seconds == pytest.approx(1.0)
    assert plan.reason.startswith("10 of 250 frames are decoded for 10 samples every 1 s")


def test_key_frames_are_taken_when_they_are_near_enough_and_the_tolerance_says_how_near() -> None:
    index = index_of(("I" + "P" * 29) * 10)  # every 1.2 s
    plan = make_plan(index, [6.0])
    assert plan.strategy == "keyframes"
    assert plan.tolerance_seconds == pytest.approx(0.0)
    drifting = make_plan(index_of(("I" + "P" * 26) * 10), [2.16 * 2])
    assert drifting.strategy == "keyframes"
    half_off = make_plan(index_of(("I" + "P" * 39) * 10), [1.0])  # every 1.6 s: most samples are far from one
    assert half_off.strategy == "seek"
    assert half_off.tolerance_seconds <= most_shift_seconds(1.0)


def test_the_rest_of_a_group_after_its_last_sample_is_not_decoded() -> None:
    index = index_of(("I" + "P" * 99) * 3)  # every 4 s
    plan = make_plan(index, [2.5])  # 0, 2.5, 5, 7.5, 10 s
    assert plan.strategy == "seek"
    assert plan.needed[:63].all()
    assert not plan.needed[63:100].any()
    # the sample at 7.5 s moves to the key frame at 8 s
    assert times(index, plan).tolist() == pytest.approx([0, 2.48, 5.0, 8.0, 10.0])
    assert plan.tolerance_seconds == pytest.approx(0.5)


def test_frames_that_no_other_refers_to_are_dropped_unless_they_are_sampled() -> None:
    pattern = "I" + "Pbb" * 83
    order = [0] + [number for start in range(1, 249, 3) for number in (start + 2, start, start + 1)]
    index = index_of(pattern, order)
    plan = make_plan(index, [1.0])
    assert plan.strategy == "skip_nonreference"
    assert times(index, plan).tolist() == pytest.approx(list(range(10)))
    dropped_samples = index.disposable & np.isin(index.ticks, plan.due[0].ticks)
    assert plan.needed[dropped_samples].all()
    assert plan.needed.sum() < 100
    assert "needed by no other frame" in plan.reason


def test_a_frame_shown_before_its_key_frame_is_decoded_from_the_group_before() -> None:
    # open groups: the b at tick 4 comes after the second key frame (tick 5) and refers to the first group, too
    index = index_of("IPPPIbPPP", [0, 1, 2, 3, 5, 4, 6, 7, 8])
    wanted = replace(index, shown=index.ticks == 4)
    plan = make_plan(wanted, [1.0])
    assert plan.needed.tolist() == [True] * 6 + [False] * 3
    assert plan.runs.tolist() == [0]


def test_frames_shown_before_a_key_frame_are_left_out_when_decoding_starts_there() -> None:
    index = index_of("IPPPIPPPP", [0, 1, 2, 3, 6, 4, 5, 7, 8])
    plan = make_plan(replace(index, shown=index.ticks == 8), [1.0])
    assert plan.needed.tolist() == [False] * 4 + [True, False, False, True, True]


def test_several_askers_share_one_decode() -> None:
    index = index_of(("I" + "P" * 24) * 10)
    plan = make_plan(index, [1.0, 0.2])
    assert len(plan.due[0].ticks) == 10
    assert len(plan.due[1].ticks) == 50
    assert plan.interval_seconds == 0.2


def test_a_file_without_key_frames_is_decoded_from_its_beginning() -> None:
    plan = make_plan(index_of("P" * 100), [1.0])
    assert plan.needed[:76].all()
    assert plan.runs.tolist() == [0]


def test_samples_lie_between_the_first_frame_and_the_end_and_each_frame_comes_once() -> None:
    index = index_of("I" * 10)
    held = replace(index, ticks=index.ticks * 100, frame_seconds=4.0)  # a frame every 4 s
    plan = make_plan(held, [0.5])
    assert times(held, plan).tolist() == pytest.approx([4.0 * number for number in range(10)])


@pytest.mark.parametrize("timed", [True, False])
def test_an_interval_far_below_a_frame_gives_every_frame_in_the_memory_of_the_frames(timed: bool) -> None:
    index = replace(index_of("IPPP" * 10), timed=timed)
    tracemalloc.start()
    plan = make_plan(index, [1e-9])
    most_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sorted(set(plan.due[0].ticks.tolist())) == index.ticks.tolist()
    assert len(plan.due[0].ticks) <= 2 * len(index.ticks)
    assert most_bytes < 1_000_000


@given(st.lists(st.integers(1, 400), min_size=1, max_size=60), st.sampled_from([0.001, 0.02, 0.05, 0.13]))
def test_asked_times_that_are_left_out_would_give_no_other_frame(gaps: list[int], interval_seconds: float) -> None:
    index = index_of("I" + "b" * (len(gaps) - 1), np.cumsum(gaps).tolist())
    seconds = index.seconds(index.ticks)
    end = seconds[-1] + index.frame_seconds / 2
    asked = seconds[0] + np.arange(max(1, np.ceil((end - seconds[0]) / interval_seconds - 1e-9))) * interval_seconds
    distance = np.abs(seconds[:, None] - asked[None, :])  # (F, S)
    nearest = (distance <= distance.min(axis=0) + 1e-9).argmax(axis=0)  # (S,) the earlier one of two
    plan = make_plan(index, [interval_seconds, 0.0])  # all are decoded, so that no sample moves to a key frame
    assert set(plan.due[0].ticks.tolist()) == set(index.ticks[nearest].tolist())


def test_packets_without_times_are_all_decoded_to_learn_them() -> None:
    plan = make_plan(replace(index_of("IPPP" * 10), timed=False), [0.4])
    assert plan.strategy == "all"
    assert "no usable times" in plan.reason
    assert plan.due[0].ticks.tolist() == [0, 10, 20, 30]


@given(
    st.lists(st.sampled_from("IPPPbb"), min_size=1, max_size=300),
    st.lists(st.integers(1, 40), min_size=300, max_size=300),
    st.sampled_from([0.1, 0.3, 1.0, 2.5, 30.0]),
)
def test_every_sample_keeps_the_stated_tolerance_and_everything_it_hangs_on_is_decoded(
    pattern: list[str], gaps: list[int], interval_seconds: float
) -> None:
    index = index_of("".join(pattern), np.cumsum(gaps[: len(pattern)]).tolist())
    plan = make_plan(index, [interval_seconds])
    found = times(index, plan)
    first, *_, last = index.seconds(index.ticks)[[0, 0, -1]]
    asked = first + np.arange(2 + int((last - first) / interval_seconds)) * interval_seconds
    distance = np.abs(found[:, None] - asked[None, :]).min(axis=1)
    assert (distance <= plan.tolerance_seconds + 1e-6).all()
    assert (np.diff(found) > 0).all()
    for position in np.flatnonzero(np.isin(index.ticks, plan.due[0].ticks)):
        keys = np.flatnonzero(index.key[: position + 1])
        chain = np.arange(keys[-1] if len(keys) else 0, position + 1)
        assert plan.needed[chain[~index.disposable[chain]]].all()
        assert plan.needed[position]
