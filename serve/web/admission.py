"""Refuse what a full server cannot take, before the web framework sees it: refusals must cost next to nothing.

Under ten times the load nine of ten requests are refused. Where each costs a route, its dependencies and an exception,
the event loop does nothing else, and /ping waits.
"""

from __future__ import annotations

from types import SimpleNamespace

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from serve.web import intake
from serve.web.refusals import LaterError, answer
from serve.web.service import Service

_PATH = "/invocations"


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
        await self._app(scope, receive, send)
