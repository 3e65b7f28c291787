"""What worker processes of the tests do: what the name of an input says."""

from __future__ import annotations

import os
import signal
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

from serve.process.messages import DEVICE_LOST, Began, Ended, Halt, Loaded, Loads, Order, Task
from serve.process.summary import Entry, Failure


def as_named(task: Task, pipe: Connection) -> None:
    """Crash, hang, lose the device once, or do well; the folder of outputs notes what was begun."""
    sending = threading.Lock()

    def end(name: str) -> None:
        with sending:
            pipe.send(Ended(Entry(name=name, status="done")))

    while (order := pipe.recv()) is not None:
        if not isinstance(order, Order):
            return
        name = order.item.name
        with (Path(task.job.output) / "begun").open("a") as notes:
            notes.write(f"{name}\n")
        with sending:
            pipe.send(Began(name))
        if name.startswith("crash"):
            time.sleep(0.3)  # for another input to be under way
            os.kill(os.getpid(), signal.SIGSEGV)
        if name.startswith("hang"):
            time.sleep(600)
        if name.startswith("lose") and (Path(task.job.output) / "begun").read_text().count(name) == 1:
            os._exit(DEVICE_LOST)
        threading.Timer(1.0 if name.startswith("slow") else 0.0, end, [name]).start()


def that_dies_at_once(task: Task, pipe: Connection) -> None:
    """End before anything begins, as when a library is missing."""
    os._exit(9)


def that_loads_for_ever(task: Task, pipe: Connection) -> None:
    """Begin to load models and never end, as where a driver hangs."""
    pipe.send(Loads())
    time.sleep(600)


def that_loads_for_a_while(task: Task, pipe: Connection) -> None:
    """Load for a moment, then do well, longer than loading may take."""
    order = pipe.recv()
    pipe.send(Loads())
    time.sleep(0.2)
    pipe.send(Loaded())
    pipe.send(Began(order.item.name))
    time.sleep(2.0)
    pipe.send(Ended(Entry(name=order.item.name, status="done")))
    pipe.recv()


def that_fails_as_named(task: Task, pipe: Connection) -> None:
    """Fail for good, fail for now, or do well, one input after the other; the folder of outputs notes what is over."""
    while isinstance(order := pipe.recv(), Order | Halt):
        if isinstance(order, Halt):
            continue
        name = order.item.name
        pipe.send(Began(name))
        time.sleep(0.05)
        entry = Entry(name=name, status="done", answer=f"{name}.json", answer_id=f"sha256:{name}")
        if name.startswith(("bad", "busy")):
            failure = Failure(type="CorruptMediaError", message="of no use", temporary=name.startswith("busy"))
            entry = Entry(name=name, status="failed", error=failure)
        with (Path(task.job.output) / "over").open("a") as notes:
            notes.write(f"{name}\n")
        pipe.send(Ended(entry))
