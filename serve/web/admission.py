"""Refuse what a full server cannot take, before the web framework sees it: refusals must cost next to nothing.

Under ten times the load nine of ten requests are refused. Where each costs a route, its dependencies and an exception,
the event loop does nothing else, and /ping waits.

What is not refused has its place until its answer was sent: an answer that waits for its client is work under way, too.
"""

from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from serve.web import intake
from serve.web.lanes import Lane, Place
from serve.web.refusals import LaterError, answer
from serve.web.sending import in_pieces
from serve.web.service import Service

_PATH = "/invocations"
HELD = "reelwarden.held"  # in the scope of a request: what is given back when its answer was sent


def held_place(request: Request, lane: Lane) -> Place:
    """Return a place that the request has until its answer was sent; raises LaterError."""
    held: ExitStack = request.scope[HELD]
    return held.enter_context(lane.place())


class Admission:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"] == _PATH and scope["method"] == "POST":
            request = Request(scope)
            try:
                self._service.lane_of(intake.type_of(request)).check()
            except LaterError as error:
                scope["route"] = SimpleNamespace(path=_PATH)  # as the router would: logs and metrics name it
                await answer(error, for_people=intake.wants_page(request))(scope, receive, send)
                return
        with ExitStack() as held:
            scope[HELD] = held
            await self._app(scope, receive, in_pieces(send))
