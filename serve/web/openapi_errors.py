"""Every status other than 200 that /invocations answers with: what it means, and an error as the server tells it."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException

from model_zoo.errors import CorruptMediaError, FetchRefusedError, NotAcceptableError, UsageError
from serve.web.refusals import (
    LaterError,
    NoRoomError,
    SlowBodyError,
    StuckError,
    TooLargeError,
    UnknownTypeError,
    described,
    status_of,
)

EXAMPLE_ID = "0f8b2c6d5f1e4d0c9b7a6e5d4c3b2a10"  # of a request

_MEANT: tuple[tuple[str, Exception], ...] = (
    (
        "an empty body, an option or a domain that does not exist, or no HTTP",
        UsageError("domains='weather': choose some of moderation, objects"),
    ),
    (
        "media is named that may not be fetched",
        FetchRefusedError("this server fetches nothing; send the media itself, or set REELWARDEN_FETCH_FROM"),
    ),
    ("another path", HTTPException(404)),
    ("another method", HTTPException(405)),
    (
        "no output form that Accept allows",
        NotAcceptableError("Accept: image/png: no such form; there are application/json, text/csv; charset=utf-8"),
    ),
    ("the body came too slowly", SlowBodyError("nothing of the body came for 20 s; send it again")),
    (
        "the body, the picture or the duration is over the limit",
        TooLargeError(
            "the body is over the limit of 1,100,000,000 bytes; cut it, raise max_body_bytes "
            "(REELWARDEN_MAX_BODY_BYTES), or run a job over the files"
        ),
    ),
    (
        "a Content-Type that is not served, or bytes without one that are no known media",
        UnknownTypeError(
            "Content-Type font/woff: send video/*, audio/*, image/*, text/plain, application/json, "
            "application/jsonlines or multipart/form-data, or leave it out"
        ),
    ),
    (
        "media that is damaged or not what its Content-Type says, or JSON that is not of the wanted form",
        CorruptMediaError("upload.mp4: the header is missing, damaged or cut off; upload the file again or repair it"),
    ),
    ("a bug; the log tells more under the request id", RuntimeError()),
    (
        "starting, full, draining or failed, or a place to fetch from has trouble; see Retry-After",
        LaterError("the server is starting; try again later", retry_after_seconds=5),
    ),
    ("an analysis did not end", StuckError("the analysis does not end; try another file")),
    (
        "no room for the body in the temporary folder",
        NoRoomError("no room for the body in /tmp; make room, or set TMPDIR to a larger disk"),
    ),
)
REFERENCE = "#/components/schemas/{model}"
REQUEST_ID = {
    "X-Request-Id": {"description": "as errors, reports and logs name the request", "schema": {"type": "string"}}
}
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "message", "status", "request_id"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string", "description": "the value that is wrong, and the fix"},
                "status": {"type": "integer", "description": "that of the answer"},
                "request_id": {"type": "string"},
            },
        }
    },
}
_AGAIN = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}}


def reference(name: str) -> dict[str, str]:
    """Return what stands for a schema of the document."""
    return {"$ref": REFERENCE.format(model=name)}


def refusals() -> dict[str, dict[str, Any]]:
    """Return OpenAPI's responses by status."""
    return {str(status_of(error)): _refusal(meaning, error) for meaning, error in _MEANT}


def _refusal(meaning: str, error: Exception) -> dict[str, Any]:
    example = described(error)
    example["error"]["request_id"] = EXAMPLE_ID
    headers = REQUEST_ID | (_AGAIN if isinstance(error, LaterError) else {})
    return {
        "description": meaning,
        "headers": headers,
        "content": {"application/json": {"schema": reference("Error"), "example": example}},
    }
