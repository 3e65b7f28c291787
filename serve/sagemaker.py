"""The HTTP contract of SageMaker hosting and Batch Transform, and the health routes of other orchestrators.

Read with docs/http.md. `/ping` and its kin touch nothing but a few flags; all work is done by the workers of
`serve/web/service.py`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from model_zoo.errors import ReelwardenError, UnsupportedMediaError
from serve.logs import request_id
from serve.version import VERSION
from serve.web import intake
from serve.web.intake import JSON, JSON_LINES
from serve.web.metrics import PLACES, UP
from serve.web.openapi import INVOCATIONS
from serve.web.options import Named, named_of
from serve.web.refusals import ClientLeftError, UndecodableError, answer, described
from serve.web.service import Ends, Service
from serve.web.tracing import Traced
from serve.web.uploads import upload_file, whole

MOST_JSON_BYTES = 1_000_000
MOST_LINES_BYTES = 6_000_000
MOST_PAYLOAD_MB = 100  # what Batch Transform allows


def create_app(service: Service) -> ASGIApp:
    """Return the application of one server."""
    app = FastAPI(title="Reelwarden", version=VERSION, docs_url=None, redoc_url=None)
    _add_health(app, service)
    _add_invocations(app, service)

    @app.exception_handler(ReelwardenError)
    async def refuse(_request: Request, error: ReelwardenError) -> Response:
        return answer(error)

    @app.exception_handler(HTTPException)
    async def no_route(_request: Request, error: HTTPException) -> Response:
        facts = {"type": "HTTPError", "message": error.detail, "status": error.status_code}
        facts["request_id"] = request_id.get()
        return JSONResponse({"error": facts}, error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def fail(_request: Request, error: Exception) -> Response:
        return answer(error)

    return Traced(app)


def _add_health(app: FastAPI, service: Service) -> None:
    async def ping() -> Response:
        """Answer 200 with no body when `/invocations` takes work, else 503 with the state."""
        state = service.state
        return Response() if state in {"ready", "busy"} else JSONResponse({"state": state}, 503)

    async def ready() -> Response:
        """Answer 200 when `/invocations` takes work, else 503; the body has the state."""
        state = service.state
        return JSONResponse({"state": state}, 200 if state in {"ready", "busy"} else 503)

    async def live() -> Response:
        """Answer 200 as long as the process can work or will be able to; 503 when only a restart helps."""
        state = service.state
        return JSONResponse({"state": state}, 503 if state == "failed" else 200)

    async def metrics() -> Response:
        """Return the metrics in Prometheus's text form."""
        UP.set(service.state in {"ready", "busy"})
        for lane in (service.pictures, service.videos):
            PLACES.labels(lane.name).set(lane.taken)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def execution_parameters() -> dict[str, int | str]:
        """Tell Batch Transform: one whole object of up to 100 MB a request."""
        return {"MaxConcurrentTransforms": 1, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": MOST_PAYLOAD_MB}

    app.get("/ping", tags=["health"])(ping)
    app.get("/readyz", tags=["health"])(ready)
    app.get("/livez", tags=["health"])(live)
    app.get("/v2/health/ready", tags=["health"])(ready)
    app.get("/v2/health/live", tags=["health"])(live)
    app.get("/metrics", tags=["health"])(metrics)
    app.get("/execution-parameters", tags=["sagemaker"])(execution_parameters)


def _add_invocations(app: FastAPI, service: Service) -> None:
    async def invocations(request: Request) -> Response:
        """Analyze media and answer with its report."""
        media_type = intake.type_of(request)
        kind = intake.kind_of(media_type)
        service.check_ready()
        if kind == "lines":
            intake.check_accepted(request, JSON_LINES)
            return await _lines(service, request)
        intake.check_accepted(request, JSON)
        lane = service.pictures if intake.is_quick(media_type) else service.videos
        with lane.place():
            ends = service.ends()
            if kind == "json":
                named = named_of(await whole(request.stream(), MOST_JSON_BYTES))
                report = await _named(service, request, ends, named)
            else:
                report = await _uploaded(service, request, ends, media_type, form=kind == "form")
        return Response(report, media_type=JSON)

    app.post("/invocations", tags=["sagemaker"], openapi_extra=INVOCATIONS)(invocations)


async def _uploaded(service: Service, request: Request, ends: Ends, media_type: str | None, *, form: bool) -> bytes:
    """Return the report of the media in the body."""
    most_bytes = service.settings.max_body_bytes
    intake.check_length(request, most_bytes)
    with upload_file(media_type) as path:
        taken_in = intake.save_form if form else intake.save_body
        name, options = await taken_in(request, path, most_bytes)
        asked, lane = options.asked(), service.pictures if intake.is_quick_file(path) else service.videos
        try:
            return await service.worked(lane, request, ends, lambda: service.report(path, name, asked, ends))
        except UnsupportedMediaError as error:
            if media_type is None:
                raise
            raise UndecodableError(str(error)) from error


async def _named(service: Service, request: Request, ends: Ends, named: Named) -> bytes:
    """Return the report of media that the body names."""
    asked = named.options.asked()
    return await service.worked(service.videos, request, ends, lambda: service.fetched(named.media, asked, ends))


async def _lines(service: Service, request: Request) -> Response:
    """Answer every line with a line, in order and as soon as it is there; one that fails gets its error."""
    text = await whole(request.stream(), MOST_LINES_BYTES)
    lines = [line for line in text.splitlines() if line.strip()]
    answers = _answer_lines(service, request, lines)
    first = await anext(answers)  # what refuses the whole request is raised here, while a status can be sent

    async def stream() -> AsyncIterator[bytes]:
        async with aclosing(answers):
            yield first
            async for line in answers:
                yield line

    return StreamingResponse(stream(), media_type=JSON_LINES)


async def _answer_lines(service: Service, request: Request, lines: list[bytes]) -> AsyncGenerator[bytes, None]:
    with service.videos.place():
        ends = service.ends()
        for line in lines:
            try:
                report = await _named(service, request, ends, named_of(line))
            except ClientLeftError:
                raise
            except ReelwardenError as error:
                if len(lines) == 1:
                    raise
                report = json.dumps(described(error)).encode()
            yield report + b"\n"
