"""Rows of several callers are joined, and nobody notices but by the time it takes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_zoo.errors import BackendError
from model_zoo.values import Tensors
from serve.batching import Joined


class Doubling:
    """Doubles its rows; waits at a gate, and remembers the size of every batch."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.batches: list[int] = []

    def run(self, tensors: Tensors) -> Tensors:
        """Return twice the rows; raises BackendError for a negative one."""
        self.entered.set()
        assert self.gate.wait(10)
        rows = tensors["x"]
        self.batches.append(len(rows))
        if (rows < 0).any():
            raise BackendError("a row is below 0")
        return {"y": rows * 2}


def rows_of(*values: float, width: int = 3) -> Tensors:
    return {"x": np.repeat(np.array(values, np.float32)[:, None], width, axis=1)}


def at_once(model: Doubling, joined: Joined, asked: list[Tensors]) -> list[Tensors | BaseException]:
    """Send the first call in, and all others while it runs."""
    with ThreadPoolExecutor(len(asked)) as pool:
        futures = [pool.submit(joined.run, asked[0])]
        assert model.entered.wait(10)
        futures += [pool.submit(joined.run, tensors) for tensors in asked[1:]]
        while len(joined._waiting) < len(asked) - 1:
            pass
        model.gate.set()
        return [future.exception() or future.result() for future in futures]


def test_callers_that_come_while_a_batch_runs_share_the_next_one() -> None:
    model = Doubling()
    answers = at_once(model, Joined("doubling", model, most_rows=32), [rows_of(float(n)) for n in range(9)])
    assert model.batches == [1, 8]
    assert [answer["y"][0, 0] for answer in answers] == [2.0 * n for n in range(9)]


def test_no_batch_is_larger_than_the_most_but_one_callers_own_may_be() -> None:
    model = Doubling()
    asked = [rows_of(1.0), rows_of(2.0, 3.0), rows_of(4.0, 5.0), rows_of(*range(6, 12))]
    answers = at_once(model, Joined("doubling", model, most_rows=4), asked)
    assert sorted(model.batches) == [1, 4, 6]
    assert [len(answer["y"]) for answer in answers] == [1, 2, 2, 6]


def test_rows_of_another_shape_are_not_joined() -> None:
    model = Doubling()
    answers = at_once(
        model, Joined("doubling", model, most_rows=32), [rows_of(1.0), rows_of(2.0), rows_of(3.0, width=5)]
    )
    assert model.batches == [1, 1, 1]
    assert [answer["y"].shape for answer in answers] == [(1, 3), (1, 3), (1, 5)]


def test_one_callers_bad_rows_fail_that_caller_alone() -> None:
    model = Doubling()
    answers = at_once(model, Joined("doubling", model, most_rows=32), [rows_of(1.0), rows_of(-2.0), rows_of(3.0)])
    assert isinstance(answers[1], BackendError)
    assert [answers[0]["y"][0, 0], answers[2]["y"][0, 0]] == [2.0, 6.0]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(1, 8))
def test_everybody_gets_their_own_rows_back(sizes: list[int], most_rows: int) -> None:
    model = Doubling()
    model.gate.set()
    joined = Joined("doubling", model, most_rows)
    asked = [rows_of(*(100.0 * number + row for row in range(size))) for number, size in enumerate(sizes)]
    with ThreadPoolExecutor(len(asked)) as pool:
        for tensors, answer in zip(asked, pool.map(joined.run, asked), strict=True):
            np.testing.assert_array_equal(answer["y"], tensors["x"] * 2)


def test_the_error_of_a_lone_caller_is_the_models() -> None:
    model = Doubling()
    model.gate.set()
    with pytest.raises(BackendError, match="below 0"):
        Joined("doubling", model, 4).run(rows_of(-1.0))
