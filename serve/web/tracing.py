"""Give every request an id, echo it, log one line and count it: around everything, so that failures are counted too."""

from __future__ import annotations

import logging
import re
import uuid
from time import monotonic

from starlette.datastructures import Headers, MutableHeaders
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
        given = next((value for name in ID_HEADERS if _ID.fullmatch(value := headers.get(name, ""))), None)
        request_id.set(given or uuid.uuid4().hex)  # a task of its own serves each request
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
                _name(MutableHeaders(scope=message), headers)
            await send(message)

        try:
            await self._app(scope, receive_counted, send_named)
        finally:
            _tell(scope, status, monotonic() - start_seconds, body_bytes)


def _name(answer: MutableHeaders, asked: Headers) -> None:
    answer["X-Request-Id"] = request_id.get() or ""
    if _ATTRIBUTES.fullmatch(attributes := asked.get(ATTRIBUTES, "")):
        answer["X-Amzn-SageMaker-Custom-Attributes"] = attributes
    answer["X-Content-Type-Options"] = "nosniff"


def _tell(scope: Scope, status: int, seconds: float, body_bytes: int) -> None:
    route = getattr(scope.get("route"), "path", "none")
    REQUESTS.labels(route, status).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)
    BODY_BYTES.inc(body_bytes)
    fields = {
        "method": scope["method"],
        "route": route,
        "status": status,
        "seconds": round(seconds, 4),
        "body_bytes": body_bytes,
    }
    level = logging.DEBUG if route in QUIET and status in (200, 503) else logging.INFO
    log.log(level, "request", extra={"fields": fields})
