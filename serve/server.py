"""Run the server: the socket opens at once, models load beside it, SIGTERM lets the work in flight end."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import socket
import sys
import threading
from types import FrameType

import uvicorn

from model_zoo.errors import ReelwardenError
from serve.sagemaker import create_app
from serve.settings import Settings
from serve.web.admission import admit_by_fields
from serve.web.connections import PatientConnection
from serve.web.door import BACKLOG, Door
from serve.web.lanes import Place, yield_to_the_event_loop
from serve.web.service import Service

log = logging.getLogger(__name__)

REAL_TIME_SECONDS = 60.0  # what SageMaker waits for an answer
BATCH_SECONDS = 3600.0
MOST_DESCRIPTORS = 16_384
ANSWER_SECONDS = 5.0  # after work was cut short, for its answers to be sent
SWITCH_SECONDS = 0.001  # a worker that computes in Python lets the event loop go on after so long; Python's own is 5 ms


def run_server(settings: Settings) -> int:
    """Serve until a signal comes; returns what the process should end with."""
    batch = os.environ.get("SAGEMAKER_BATCH", "").lower() == "true"
    deadline_seconds = settings.deadline_seconds or (BATCH_SECONDS if batch else REAL_TIME_SECONDS)
    sys.setswitchinterval(SWITCH_SECONDS)
    _raise_descriptors()
    service = Service(settings, deadline_seconds)
    server = _Server(service)
    server.run()
    if not service.close() or server.loads:  # threads that do not end now would keep the process, or crash it
        logging.shutdown()
        sys.stderr.flush()
        os._exit(server.exit_code)
    return server.exit_code


def _raise_descriptors() -> None:
    """Allow as many open files and connections as the system lets us: the usual 1,024 are fewer than may wait."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _give_up(connection: socket.socket, place: Place | None) -> None:
    connection.close()
    if place is not None:
        place.leave()


class _Server(uvicorn.Server):
    """uvicorn, with the life of a service: it loads, drains, and ends in time."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.exit_code = 0
        self._loading = threading.Thread(target=self._load, name="load", daemon=True)
        settings = service.settings
        super().__init__(
            uvicorn.Config(
                create_app(service),
                host=settings.host,
                port=settings.port,
                http=PatientConnection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=round(settings.drain_seconds + ANSWER_SECONDS),
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the socket, then load."""
        loop = asyncio.get_running_loop()
        settings = self.service.settings
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        try:
            listener = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
        except OSError as error:
            log.critical("port %d: %s; set REELWARDEN_PORT", settings.port, error.strerror)
            sys.exit(3)
        door = Door(
            listener,
            state=lambda: self.service.state,
            admit=lambda fields: admit_by_fields(self.service, fields),
            hand_over=lambda given, place: self._hand_over(loop, given, place),
        )
        self.servers = [door]  # type: ignore[list-item]
        self.started = True
        self._loading.start()

    def _hand_over(self, loop: asyncio.AbstractEventLoop, connection: socket.socket, place: Place | None) -> None:
        """Have the event loop serve a connection; called on the door's thread."""

        def protocol() -> PatientConnection:
            return PatientConnection(self.config, self.server_state, self.lifespan.state, place=place)

        async def serve() -> None:
            try:
                await loop.connect_accepted_socket(protocol, connection)
            except BaseException:  # from here on the connection would have given it back
                _give_up(connection, place)
                raise

        coroutine = serve()
        try:
            asyncio.run_coroutine_threadsafe(coroutine, loop)
        except RuntimeError:  # the loop is closed
            coroutine.close()
            _give_up(connection, place)

    @property
    def loads(self) -> bool:
        """Whether models are being loaded."""
        return self._loading.is_alive()

    def _load(self) -> None:
        yield_to_the_event_loop()
        try:
            self.service.load()
        except ReelwardenError as error:
            log.critical("%s", error)
            self.exit_code = error.exit_code
        except Exception as error:
            log.exception("loading failed", extra={"fields": {"reason": str(error)}})
            self.exit_code = 3
        if self.exit_code:
            self.service.health.fail("loading failed")
            self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Refuse new work and let the rest end; what is not over in time ends with what it has."""
        if not self.should_exit:
            log.info("draining", extra={"fields": {"signal": signal.Signals(sig).name}})
            self.service.health.drain()
            asyncio.get_running_loop().call_later(self.service.settings.drain_seconds, self.service.cut_short)
        super().handle_exit(sig, frame)
