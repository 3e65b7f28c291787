"""What stands behind the routes: the loaded analyzer, its workers, and how the whole is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request

from model_zoo.errors import DeviceLostError, FetchRefusedError
from serve.asked import Asked
from serve.logs import request_id
from serve.metrics import LOAD_SECONDS, count
from serve.settings import Settings
from serve.temporary import temporary_folder
from serve.web.health import Health, State
from serve.web.intake import is_quick
from serve.web.lanes import Lane
from serve.web.refusals import ClientLeftError, LaterError, StuckError

if TYPE_CHECKING:  # loading it takes seconds, in which /ping is to be answered
    from model_zoo.manifest import ModelSpec
    from model_zoo.values import Model
    from serve.fetching import Fetcher
    from serve.pipeline import Analyzer
    from serve.web.outputs import Output

Result = TypeVar("Result")
log = logging.getLogger(__name__)

STOP_SHARE = 0.9  # of the deadline: then the analysis ends, and the rest is for its answer
MOST_STUCK_SECONDS = 30.0  # after the deadline, until a worker that does not end counts as lost


class Ends:
    """Why one analysis should end early; set by the event loop, asked by a worker."""

    def __init__(self, deadline_seconds: float) -> None:
        self._deadline_seconds = deadline_seconds
        self._start_seconds = monotonic()
        self.reason: str | None = None

    def left_seconds(self) -> float:
        """Return the time to the deadline."""
        return max(0.0, self._start_seconds + self._deadline_seconds - monotonic())

    def __call__(self) -> str | None:
        """Say why to end now; None as long as there is no reason."""
        if self.reason is None and self.left_seconds() < (1 - STOP_SHARE) * self._deadline_seconds:
            self.reason = f"the deadline of {self._deadline_seconds:g} s is close"
        return self.reason


@dataclass(frozen=True, slots=True)
class Job:
    """What one request wants done with its media."""

    asked: Asked
    output: Output
    ends: Ends


class Service:
    """The state of one server."""

    def __init__(self, settings: Settings, deadline_seconds: float) -> None:
        """Prepare; nothing is loaded yet."""
        self.settings = settings
        self.deadline_seconds = deadline_seconds
        self.health = Health()
        self.pictures = Lane("pictures", settings.pictures_at_once, settings.pictures_waiting)
        self.videos = Lane("videos", settings.videos_at_once, settings.videos_waiting)
        self._analyzer: Analyzer | None = None
        self._fetcher: Fetcher | None = None
        self._running: set[Ends] = set()

    def load(self) -> None:
        """Load every model, on a thread of its own; raises the errors of the analyzer."""
        start_seconds = monotonic()
        from serve import doctor
        from serve.pipeline import Analyzer

        doctor.tell(self.settings)
        temporary_folder()
        self._analyzer = Analyzer(self.settings, wrap=_joined)
        if self.settings.fetch_from:
            from serve.fetching import Fetcher

            self._fetcher = Fetcher(self.settings.fetch_rules())
        self.health.loaded()
        domains = [domain.name for domain in self._analyzer.domains]
        seconds = round(monotonic() - start_seconds, 3)
        LOAD_SECONDS.set(seconds)
        log.info("ready", extra={"fields": {"domains": domains, "load_seconds": seconds}})

    @property
    def state(self) -> State:
        """How the server is."""
        lanes = self.pictures, self.videos
        return self.health.state(full=any(lane.full for lane in lanes), stuck=any(lane.stuck for lane in lanes))

    def lane_of(self, media_type: str | None) -> Lane:
        """Return where a request of a type waits for its turn."""
        return self.pictures if is_quick(media_type) else self.videos

    def check_ready(self) -> None:
        """Raise LaterError where no work can be taken now."""
        state = self.state
        if state not in {"ready", "busy"}:
            raise LaterError(f"the server is {state}; try again later", retry_after_seconds=5)

    def ends(self) -> Ends:
        """Begin the time of one request."""
        return Ends(self.deadline_seconds)

    @property
    def domains(self) -> tuple[str, ...]:
        """The names of the loaded domains."""
        return tuple(domain.name for domain in self.analyzer.domains)

    @property
    def analyzer(self) -> Analyzer:
        """The loaded models; raises LaterError before they are there."""
        if self._analyzer is None:
            raise LaterError("the server is starting; try again later", retry_after_seconds=5)
        return self._analyzer

    def answer(self, job: Job, path: Path, name: str) -> bytes:
        """Analyze one file, on a worker, and return its report as the job wants it written."""
        try:
            report = self.analyzer.analyze(path, asked=job.asked, stop=job.ends)
        except DeviceLostError as error:
            self.health.fail(str(error))
            raise
        count(report)
        media = report.media.model_copy(update={"name": name})
        run = report.run.model_copy(update={"request_id": request_id.get()})
        return job.output.write(report.model_copy(update={"media": media, "run": run}), path)

    def answer_named(self, job: Job, place: str) -> bytes:
        """Fetch media by its address, on a worker, and answer; raises FetchError."""
        if self._fetcher is None:
            raise FetchRefusedError("this server fetches nothing; send the media itself, or set REELWARDEN_FETCH_FROM")
        with self._fetcher.fetched(place, job.ends.left_seconds(), job.ends) as path:
            return self.answer(job, path, path.name)

    async def worked(self, lane: Lane, request: Request, ends: Ends, work: Callable[[], Result]) -> Result:
        """Have a worker do it; ends it when the client leaves, the deadline is close or the server stops."""

        def begun() -> Result:
            if reason := ends():
                raise LaterError(f"no worker was free in time: {reason}; try again later", retry_after_seconds=5)
            return work()

        self._running.add(ends)
        gone = asyncio.create_task(_left(request))
        future = lane.submit(begun)
        try:
            return await _attended(future, gone, ends)
        except StuckError:
            log.error("an analysis does not end; its worker is lost")  # noqa: TRY400 - where it is stuck is unknown
            lane.give_up(future)
            raise
        except asyncio.CancelledError:
            ends.reason = "nobody waits for the answer"
            raise
        finally:
            gone.cancel()
            self._running.discard(ends)

    def cut_short(self) -> None:
        """End every analysis with what it has, as the process must end soon."""
        for ends in tuple(self._running):
            ends.reason = "the server is shutting down"
        for lane in (self.pictures, self.videos):
            lane.cancel_waiting()

    def close(self) -> bool:
        """Take no more work and say whether every worker is free."""
        free = [lane.close() for lane in (self.pictures, self.videos)]
        return all(free)


async def _attended(future: Future[Result], gone: asyncio.Task[None], ends: Ends) -> Result:
    answered = asyncio.wrap_future(future)
    both: set[asyncio.Future[Any]] = {answered, gone}
    await asyncio.wait(both, timeout=ends.left_seconds(), return_when=asyncio.FIRST_COMPLETED)
    if gone.done():
        ends.reason = "the client has left"
    if not answered.done() and not future.cancel():
        await asyncio.wait({answered}, timeout=MOST_STUCK_SECONDS)
    if not answered.done() and not future.cancelled():
        raise StuckError("the analysis does not end; try another file")
    if gone.done():
        raise ClientLeftError("the client left before its answer was there")
    if future.cancelled():
        raise LaterError("no worker was free in time; try again later", retry_after_seconds=5)
    return answered.result()


def _joined(spec: ModelSpec, model: Model) -> Model:
    from serve.batching import Joined

    return Joined(spec.name, model, spec.batch.most)


async def _left(request: Request) -> None:
    """Return once the client is gone; the body has been read by now."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
