"""The worker: the process that opens media and holds the models. The job outlives it, whatever media does to it."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

from model_zoo.errors import BackendError, DeviceLostError, MediaError, ReelwardenError, TemporaryFetchError
from model_zoo.report import Report
from serve import doctor
from serve.album import Album
from serve.asked import Asked
from serve.fetching import Fetcher
from serve.formats import render
from serve.formats.own import JSON
from serve.logs import log_json_lines
from serve.pipeline import Analyzer
from serve.process.answers import beside, wishes_of
from serve.process.memory import Gate, estimate_bytes, memory_for_inputs
from serve.process.messages import DEVICE_LOST, Alive, Began, Broken, Ended, Event, Halt, Loaded, Loads, Order, Task
from serve.process.names import ANSWER, Item, readable
from serve.process.outputs import Outputs, open_outputs
from serve.process.summary import Entry, Failure
from serve.process.work import work_id
from serve.settings import Settings

_HEARTBEAT_SECONDS = 1.0
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG

log = logging.getLogger(__name__)


class _HaltedError(Exception):
    """The job is stopping: this input is left for a later run."""


def work(task: Task, pipe: Connection) -> None:
    """Do what the pipe orders until it closes."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)  # nobody would read what is written from then on
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal or scheduler tells them to all; the job decides
        signal.signal(number, signal.SIG_IGN)
    log_json_lines()
    tempfile.tempdir = task.scratch
    worker = _Worker(task, pipe)
    try:
        worker.prepare()
        while (message := pipe.recv()) is not None:
            worker.take(message)
    except ReelwardenError as error:
        worker.tell(Broken(error.exit_code, str(error)))
    except EOFError:
        pass
    sys.stderr.flush()
    os._exit(0)  # what is still under way was not asked for any more


class _Worker:
    def __init__(self, task: Task, pipe: Connection) -> None:
        self._task = task
        self._pipe = pipe
        self._sending, self._loading = threading.Lock(), threading.Lock()
        self._pool = ThreadPoolExecutor(task.job.in_flight, "item")
        self._gate = Gate(task.job.memory_bytes or memory_for_inputs())
        self._decode_threads = max(1, task.settings.threads // task.job.in_flight)
        self._fetcher = Fetcher(task.rules)
        self._analyzer: Analyzer | None = None
        self._halt: Halt | None = None
        self._outputs: Outputs
        self._work_id = ""

    def prepare(self) -> None:
        """Find out what can be wrong with the settings; models are loaded when the first input needs them."""
        self._outputs = open_outputs(self._task.job.output, self._task.tag)
        self._wishes = wishes_of(self._task.job, self._task.settings)
        self._work_id = work_id(self._task.settings, self._wishes.suffixes)

    def take(self, message: Order | Halt) -> None:
        if isinstance(message, Halt):
            self._halt = message
        else:
            self._pool.submit(self._do, message)

    def tell(self, event: Event) -> None:
        with self._sending:
            self._pipe.send(event)

    def _do(self, order: Order) -> None:
        start = time.monotonic()
        name = readable(order.item.name)
        try:
            entry = self._entry(order, name)
        except _HaltedError:
            entry = Entry(name=name, status="left")
        except DeviceLostError as error:
            log.exception("the device is lost", extra={"fields": {"reason": str(error)}})
            os._exit(DEVICE_LOST)
        except TemporaryFetchError as error:
            entry = _failed(name, error, temporary=True)
        except MediaError as error:
            entry = _failed(name, error)
        except ReelwardenError as error:
            if error.exit_code == 1 or self._analyzer is not None:
                entry = _failed(name, error)
            else:
                self.tell(Broken(error.exit_code, str(error)))
                return
        except Exception as error:
            log.exception("an input failed in a way that was not foreseen")
            entry = _failed(name, error)
        self.tell(Ended(entry.model_copy(update={"seconds": round(time.monotonic() - start, 3)})))

    def _entry(self, order: Order, name: str) -> Entry:
        before = order.before if not self._task.job.again else ()
        answer, etag = order.item.name + ANSWER, order.item.etag
        input_id = None if etag is None else f"etag:{etag}"
        if input_id and (kept := self._kept(before, input_id, order.item.name)):
            return kept
        self._check_halt()
        with self._fetcher.fetched(order.item.source) as path:
            if not input_id and any(entry.work_id == self._work_id for entry in before):
                input_id = _sha256(path)
                if kept := self._kept(before, input_id, order.item.name):
                    return kept
            album = self._wishes.album()
            report = self._report(path, name, album)
            folder = self._page_folder(order.item)
            documents = beside(report, path, self._wishes, self._task.settings, album, folder)
            ids = {suffix: self._outputs.write(order.item.name + suffix, text) for suffix, text in documents}
        answer_id = self._outputs.write(answer, render(JSON, report))  # last: where it is, all are
        return _made(name, report).model_copy(
            update={
                "answer": readable(answer),
                "answer_id": answer_id,
                "beside": ids,
                "input_id": f"etag:{etag}" if etag else f"sha256:{report.media.sha256}",
                "work_id": self._work_id,
            }
        )

    def _page_folder(self, item: Item) -> Path | None:
        """Return where a review page will lie, when media and page stay on this machine."""
        local = "://" not in item.source and "://" not in self._task.job.output
        return Path(self._task.job.output, item.name).parent if local else None

    def _report(self, path: Path, name: str, album: Album | None) -> Report:
        analyzer = self._loaded()
        size = estimate_bytes(path, self._decode_threads, self._task.settings.limits())
        with self._gate.room(size):
            self._check_halt()
            self.tell(Began(name))
            beat = time.monotonic()

            def stop() -> str | None:
                nonlocal beat
                if time.monotonic() - beat > _HEARTBEAT_SECONDS:
                    beat = time.monotonic()
                    self.tell(Alive(name))
                return "the job is stopped" if self._halt and self._halt.at_once else None

            asked = Asked(decode_threads=self._decode_threads)
            report = analyzer.analyze(path, asked=asked, stop=stop, album=album)
            if any(error.type == "Stopped" for error in report.errors):
                raise _HaltedError
            return report

    def _loaded(self) -> Analyzer:
        with self._loading:
            if self._analyzer is None:
                self.tell(Loads())
                self._analyzer = _analyzer(self._task.settings)
                self.tell(Loaded())
            return self._analyzer

    def _check_halt(self) -> None:
        if self._halt:
            raise _HaltedError

    def _kept(self, before: Iterable[Entry], input_id: str, name: str) -> Entry | None:
        """Return the work of an earlier run where any of it is right."""
        right = next((entry for entry in before if self._is_right(entry, input_id, name)), None)
        return right and right.model_copy(update={"status": "kept"})

    def _is_right(self, before: Entry, input_id: str, name: str) -> bool:
        """Say whether the answers of an earlier run are still there, and the right ones."""
        ids = {ANSWER: before.answer_id, **before.beside}
        right = before.is_of(input_id, self._work_id)
        return right and all(self._outputs.id_of(name + suffix) == known for suffix, known in ids.items())


def _analyzer(settings: Settings) -> Analyzer:
    """Load the models; raises BackendError for what nobody foresaw, as no input would fare better."""
    try:
        doctor.tell(settings)
        return Analyzer(settings)
    except ReelwardenError:
        raise
    except Exception as error:
        log.exception("models cannot be loaded", extra={"fields": {"reason": str(error)}})
        reason = f"{type(error).__name__}: {error}".split("\n", 1)[0]
        raise BackendError(f"models cannot be loaded: {reason}; `reelwarden doctor` may say why") from error


def _made(name: str, report: Report) -> Entry:
    failed = report.errors[0] if report.errors else None
    return Entry(
        name=name,
        status="partial" if failed else "done",
        media_seconds=report.media.duration_seconds,
        complete=report.complete,
        decision=report.verdict.decision if report.verdict else None,
        error=Failure(type=failed.type, message=failed.message, foreseen=False) if failed else None,
    )


def _failed(name: str, error: Exception, *, temporary: bool = False) -> Entry:
    foreseen = isinstance(error, ReelwardenError)
    message = readable(str(error))
    failure = Failure(type=type(error).__name__, message=message, temporary=temporary, foreseen=foreseen)
    return Entry(name=name, status="failed", error=failure)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
