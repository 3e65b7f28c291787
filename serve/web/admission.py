"""Refuse what a full server cannot take, before the web framework sees it: refusals must cost next to nothing.

Under ten times the load nine of ten requests are refused. Where each costs a route, its dependencies and an exception,
the event loop does nothing else, and who was admitted waits. Most are refused before that, at the door; here it is
those that ask again on a connection that is open.

What is not refused has its place until its answer was sent: an answer that waits for its client is work under way, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serve.web import intake
from serve.web.lanes import PLACE, Place
from serve.web.refusals import LaterError, answer
from serve.web.sending import in_pieces
from serve.web.service import Service

_PATH = "/invocations"


def admit(service: Service, request: Request) -> Place | Response:
    """Return a place for a request for work, or the answer to one for which there is none; asked by any thread."""
    try:
        return Place(service.lane_of(intake.type_of(request)))
    except LaterError as error:
        return answer(error, for_people=intake.wants_page(request))


def admit_by_fields(service: Service, fields: Mapping[str, str]) -> Place | Response:
    """Admit a request of which only the header's fields are known, by name in lower case."""
    named = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    return admit(service, Request({"type": "http", "headers": named}))


def _is_work(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "POST":
        return False
    path: str = scope["path"]
    return path.removesuffix("\n") == _PATH  # the router's expressions end in $, which lets one line end pass


class Admission:
    """An ASGI application around another, which finds a place in the scope of each request for work."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if PLACE not in scope and _is_work(scope):
            found = admit(self._service, Request(scope))
            if isinstance(found, Response):
                scope["route"] = SimpleNamespace(path=_PATH)  # as the router would: logs and metrics name it
                await found(scope, receive, send)
                return
            scope[PLACE] = found
        try:
            await self._app(scope, receive, in_pieces(send))
        finally:
            if PLACE in scope:
                scope[PLACE].leave()
