"""Give every request an id, echo it, log one line and count it: around everything, so that failures are counted too."""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Mapping
from time import monotonic

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.logs import request_id
from serve.metrics import BODY_BYTES, REQUEST_SECONDS, REQUESTS

log = logging.getLogger(__name__)

QUIET = {"/ping", "/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"}
ID_HEADERS = ("x-amzn-sagemaker-inference-id", "x-request-id")
ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
_ID = re.compile(r"[\x21-\x7e]{1,64}")
_ATTRIBUTES = re.compile(r"[\x20-\x7e]{1,1024}")
CLIENT_LEFT = 499


class Traced:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        named = begin(headers)  # a task of its own serves each request
        start_seconds, status, body_bytes = monotonic(), CLIENT_LEFT, 0

        async def receive_counted() -> Message:
            nonlocal body_bytes
            message = await receive()
            body_bytes += len(message.get("body", b""))
            return message

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *named]
            await send(message)

        try:
            await self._app(scope, receive_counted, send_named)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            tell(scope["method"], route, status, monotonic() - start_seconds, body_bytes)


def begin(asked: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Give a request its id, which all logs of this task or thread then have; return what its answer's header says."""
    given = next((value for name in ID_HEADERS if _ID.fullmatch(value := asked.get(name, ""))), None)
    chosen = given or f"{random.getrandbits(128):032x}"  # no system call: a full server makes hundreds a second
    request_id.set(chosen)
    named = [(b"x-request-id", chosen.encode()), (b"x-content-type-options", b"nosniff")]
    if _ATTRIBUTES.fullmatch(attributes := asked.get(ATTRIBUTES, "")):
        named.append((ATTRIBUTES.encode(), attributes.encode()))
    return named


def tell(method: str, route: str, status: int, seconds: float, body_bytes: int) -> None:
    """Count an answered request, and log it."""
    REQUESTS.labels(route, status).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)
    BODY_BYTES.inc(body_bytes)
    fields = {
        "method": method,
        "route": route,
        "status": status,
        "seconds": round(seconds, 4),
        "body_bytes": body_bytes,
    }
    level = logging.DEBUG if route in QUIET and status in (200, 503) else logging.INFO
    log.log(level, "request", extra={"fields": fields})
