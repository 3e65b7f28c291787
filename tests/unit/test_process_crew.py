"""A worker that crashes or hangs costs the input that did it, and nothing else; real processes, real signals."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from serve.process.crew import Crew
from serve.process.messages import Broken, Ended, Event, Order, Task
from serve.process.names import Item
from serve.process.settings import load_job_settings
from serve.process.summary import Entry
from serve.settings import load_settings
from tests.unit.process_bodies import as_named, that_dies_at_once, that_loads_for_a_while, that_loads_for_ever


def outcome(
    folder: Path, names: list[str], body: Callable[[Task, Connection], None] = as_named, **job: object
) -> tuple[dict[str, Entry], list[Event]]:
    """Run a crew to its end; return the entries by name, and all events."""
    settings = load_settings()
    task = Task(settings, load_job_settings(output=str(folder), **job), settings.fetch_rules(), "", str(folder))
    crew, waiting, events = Crew(task, body), deque(names), list[Event]()
    end_seconds = time.monotonic() + 60
    while (waiting or crew.busy) and not any(isinstance(event, Broken) for event in events):
        while waiting and crew.wants():
            crew.give(Order(Item(waiting.popleft(), "/nowhere"), ()))
        events += crew.events(0.05)
        assert time.monotonic() < end_seconds, events
    crew.close()
    return {event.entry.name: event.entry for event in events if isinstance(event, Ended)}, events


def test_every_input_is_over_once(tmp_path: Path) -> None:
    names = [f"clip_{number}" for number in range(20)]
    entries, events = outcome(tmp_path, names, in_flight=3)
    assert list(entries) == names
    assert len(events) == 20
    assert {entry.status for entry in entries.values()} == {"done"}


def test_an_input_that_kills_the_worker_fails_alone(tmp_path: Path) -> None:
    entries, _ = outcome(tmp_path, ["a", "slow b", "crash", "c", "d"], in_flight=2)
    failed = {name: entry.error for name, entry in entries.items() if entry.status == "failed"}
    assert set(entries) == {"a", "slow b", "crash", "c", "d"}
    assert set(failed) == {"crash"}
    assert failed["crash"]
    assert failed["crash"].message == (
        "it ended the process that analyzed it: killed by SIGSEGV, most likely by a damaged file"
    )
    begun = (tmp_path / "begun").read_text().split("\n")
    assert begun.count("crash") == 2  # once beside another, and once alone to be sure


def test_an_input_that_hangs_is_given_up_and_the_one_beside_it_is_done_again(tmp_path: Path) -> None:
    entries, _ = outcome(tmp_path, ["hang", "slow a", "b"], in_flight=2, stall_seconds=3)
    assert {name: entry.status for name, entry in entries.items()} == {"slow a": "done", "hang": "failed", "b": "done"}
    assert entries["hang"].error
    assert "no progress for 3 s" in entries["hang"].error.message


def test_a_lost_device_is_looked_for_again_by_a_new_worker(tmp_path: Path) -> None:
    entries, _ = outcome(tmp_path, ["lose", "a"], in_flight=1)
    assert {name: entry.status for name, entry in entries.items()} == {"lose": "done", "a": "done"}


def test_a_worker_that_cannot_begin_ends_the_job_with_the_code_for_it(tmp_path: Path) -> None:
    entries, events = outcome(tmp_path, ["a", "b"], that_dies_at_once)
    assert not entries
    assert events == [Broken(3, "the worker ended before any input had begun: exit code 9")]


def test_models_that_never_load_end_the_job_with_the_code_for_it(tmp_path: Path) -> None:
    entries, events = outcome(tmp_path, ["a", "b"], that_loads_for_ever, load_seconds=1.5)
    assert not entries
    (broken,) = events
    assert isinstance(broken, Broken)
    assert broken.exit_code == 3
    assert broken.message.startswith("models are not loaded after 1.5 s; raise --load-seconds")


def test_work_may_take_longer_than_loading(tmp_path: Path) -> None:
    entries, _ = outcome(tmp_path, ["a"], that_loads_for_a_while, load_seconds=1.5)
    assert entries["a"].status == "done"


@pytest.mark.parametrize("at_once", [True, False])
def test_closing_leaves_no_process(tmp_path: Path, at_once: bool) -> None:
    settings = load_settings()
    job = load_job_settings(output=str(tmp_path))
    crew = Crew(Task(settings, job, settings.fetch_rules(), "", str(tmp_path)), as_named)
    crew.give(Order(Item("hang", "/nowhere"), ()))
    process = crew._worker.process  # type: ignore[union-attr]
    crew.halt(at_once=at_once)
    crew.close()
    assert not process.is_alive()
