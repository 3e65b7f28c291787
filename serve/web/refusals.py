"""What the server refuses and fails at: one status for every error, one form of the answer."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from model_zoo.errors import (
    CorruptMediaError,
    DeviceLostError,
    FetchRefusedError,
    MediaError,
    MediaLimitError,
    NotAcceptableError,
    ReelwardenError,
    TemporaryFetchError,
    UnsupportedMediaError,
    UsageError,
)
from serve.logs import request_id
from serve.shown import shown
from serve.web.front import error_page

USUAL_RETRY_SECONDS = 5  # for what says no time itself


class RefusedError(ReelwardenError):
    """A request that is not served; `status` is the HTTP status."""

    status = 400
    retry_after_seconds: int | None = None


class EmptyBodyError(RefusedError):
    """The body has no bytes."""


class SlowBodyError(RefusedError):
    """The body came too slowly."""

    status = 408


class TooLargeError(RefusedError):
    """The body is over the limit."""

    status = 413


class UnknownTypeError(RefusedError):
    """The Content-Type is none that is served."""

    status = 415


class UnreadableRequestError(RefusedError):
    """The body is no JSON of the wanted form."""

    status = 422


class UndecodableError(RefusedError):
    """The Content-Type is served, but the bytes are no media, or of a codec that there is no decoder for."""

    status = 422


class NoResultError(RefusedError):
    """The domain that the output form speaks of failed or was not reached in time."""

    status = 500


class StuckError(RefusedError):
    """An analysis did not end although it was told to."""

    status = 504


class NoRoomError(RefusedError):
    """The temporary folder is full."""

    status = 507


class LaterError(RefusedError):
    """The server cannot serve it now: it starts, is full, ends, or had no worker in time."""

    status = 503

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ClientLeftError(RefusedError):
    """Nobody waits for the answer; the status is for logs alone."""

    status = 499


_STATUS: tuple[tuple[type[Exception], int], ...] = (  # the first that fits
    (MediaLimitError, 413),
    (UnsupportedMediaError, 415),
    (CorruptMediaError, 422),
    (FetchRefusedError, 403),
    (TemporaryFetchError, 503),
    (MediaError, 422),
    (NotAcceptableError, 406),
    (UsageError, 400),
    (DeviceLostError, 503),
)


def status_of(error: Exception) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, RefusedError):
        return error.status
    if isinstance(error, HTTPException):
        return error.status_code
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def described(error: Exception) -> dict[str, dict[str, object]]:
    """Return what a client may know of an error; what is inside of a bug stays in the logs."""
    if isinstance(error, HTTPException):
        kind, message = "HTTPError", error.detail
    elif isinstance(error, ReelwardenError):
        kind, message = type(error).__name__, shown(str(error))
    else:
        kind, message = "InternalError", "the server failed; its log tells more under this request id"
    facts: dict[str, object] = {"type": kind, "message": message}
    return {"error": facts | {"status": status_of(error), "request_id": request_id.get()}}


def answer(error: Exception, *, for_people: bool = False) -> Response:
    """Return the answer to a request that failed."""
    status = status_of(error)
    wait = getattr(error, "retry_after_seconds", None)
    if wait is None and status == HTTPStatus.SERVICE_UNAVAILABLE:
        wait = USUAL_RETRY_SECONDS
    headers = {"Retry-After": str(wait)} if wait is not None else {}
    if for_people:
        return error_page(shown(str(error)), status, headers)
    return JSONResponse(described(error), status, headers)
