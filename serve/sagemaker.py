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
from serve.metrics import PLACES, UP
from serve.texts import is_text
from serve.version import VERSION
from serve.web import given, intake
from serve.web.admission import Admission
from serve.web.front import front_page
from serve.web.health import pinged
from serve.web.lanes import PLACE, Place
from serve.web.openapi import describe
from serve.web.options import Options, named_of
from serve.web.refusals import ClientLeftError, EmptyBodyError, UndecodableError, answer, described
from serve.web.service import Ends, Job, Service
from serve.web.tracing import Traced
from serve.web.uploads import save, upload_file, whole

MOST_JSON_BYTES = 1_000_000
MOST_LINES_BYTES = 6_000_000
MOST_PAYLOAD_MB = 100  # what Batch Transform allows


def create_app(service: Service) -> ASGIApp:
    """Return the application of one server."""
    app = FastAPI(title="Reelwarden", version=VERSION, docs_url=None, redoc_url=None, redirect_slashes=False)
    _add_health(app, service)
    _add_invocations(app, service)
    describe(app)

    @app.get("/", include_in_schema=False)
    async def front() -> Response:
        service.check_ready()
        return front_page(service.domains)

    @app.exception_handler(ReelwardenError)
    async def refuse(request: Request, error: ReelwardenError) -> Response:
        return answer(error, for_people=intake.wants_page(request))

    @app.exception_handler(HTTPException)
    async def no_route(_request: Request, error: HTTPException) -> Response:
        return JSONResponse(described(error), error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def fail(_request: Request, error: Exception) -> Response:
        return answer(error)

    return Traced(Admission(app, service))


def _add_health(app: FastAPI, service: Service) -> None:
    async def ping() -> Response:
        """Answer 200 with no body when `/invocations` takes work, else 503 with the state.

        Most are answered at the door; this is for those that share a connection with other requests.
        """
        status, body = pinged(service.state)
        return Response(body, status, media_type="application/json" if body else None)

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
        place: Place = request.scope[PLACE]
        ends = service.ends()
        if kind == "lines":
            return await _lines(service, request, ends, place)
        if kind == "json":
            return await _named(service, request, ends, place)
        return await _uploaded(service, request, ends, place, media_type, form=kind == "form")

    app.post("/invocations", tags=["sagemaker"])(invocations)


def _job(service: Service, request: Request, options: Options, ends: Ends) -> Job:
    """Return what is to be done; what cannot be done is refused now."""
    from serve.web.outputs import output_of  # what writes reports is loaded with what makes them

    asked = options.asked()
    names = tuple(domain.name for domain in asked.chosen(service.analyzer.domains))
    return Job(asked, output_of(request, options.format, names, service.settings.limits()), ends)


async def _uploaded(
    service: Service, request: Request, ends: Ends, place: Place, media_type: str | None, *, form: bool
) -> Response:
    """Answer for the media in the body."""
    most_bytes = service.settings.max_body_bytes
    intake.check_length(request, most_bytes)
    with upload_file(media_type) as path:
        if form:
            path, name, options = await intake.save_form(request, path, most_bytes, ends.left_seconds)
            job = _job(service, request, options, ends)
        else:
            job = _job(service, request, intake.options_said(request), ends)
            await save(request.stream(), path, most_bytes, ends.left_seconds)
            name = path.name
        try:
            place.move(service.pictures if intake.is_quick_file(path) else service.videos)  # whatever the type said
            content = await service.worked(place.lane, request, ends, lambda: service.answer(job, path, name))
        except UnsupportedMediaError as error:
            if (media_type is None or form) and not is_text(path):
                raise
            raise UndecodableError(str(error)) from error
        return Response(content, headers={"Content-Type": job.output.content_type})


async def _named(service: Service, request: Request, ends: Ends, place: Place) -> Response:
    """Answer for media that the body names."""
    named = named_of(await whole(request.stream(), MOST_JSON_BYTES, ends.left_seconds))
    job = _job(service, request, named.options, ends)
    if named.media is None:
        place.move(service.pictures)  # texts do not wait behind videos
    content = await given.worked(service, request, ends, place, job, named)
    return Response(content, headers={"Content-Type": job.output.content_type})


async def _lines(service: Service, request: Request, ends: Ends, place: Place) -> Response:
    """Answer every line with a line, in order and as soon as it is there; one that fails gets its error."""
    from serve.web.outputs import lines_type

    accept = request.headers.get("accept")
    lines_type(accept)  # refuses what no number of lines can be answered as
    text = await whole(request.stream(), MOST_LINES_BYTES, ends.left_seconds)
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise EmptyBodyError("there is no line with media in the body")
    content_type = lines_type(accept, len(lines))
    answers = _answer_lines(service, request, ends, place, lines)
    first = await anext(answers)  # what refuses the whole request is raised here, while a status can be sent

    async def stream() -> AsyncIterator[bytes]:
        async with aclosing(answers):
            yield first
            async for line in answers:
                yield line

    return StreamingResponse(stream(), headers={"Content-Type": content_type})


async def _answer_lines(
    service: Service, request: Request, ends: Ends, place: Place, lines: list[bytes]
) -> AsyncGenerator[bytes, None]:
    for line in lines:
        try:
            answered = await _answer_line(service, request, ends, place, line)
        except ClientLeftError:
            raise
        except ReelwardenError as error:
            if len(lines) == 1:
                raise
            answered = json.dumps(described(error)).encode()
        yield answered + b"\n"


async def _answer_line(service: Service, request: Request, ends: Ends, place: Place, line: bytes) -> bytes:
    from serve.web.outputs import line_output

    named = named_of(line)
    asked = named.options.asked()
    names = tuple(domain.name for domain in asked.chosen(service.analyzer.domains))
    job = Job(asked, line_output(named.options.format, names), ends)
    return await given.worked(service, request, ends, place, job, named)
