"""What the OpenAPI document says of /invocations, with examples that can be pasted."""

from __future__ import annotations

from typing import Any

from serve.web.options import Named

_BYTES = {"schema": {"type": "string", "format": "binary"}}
_OPTIONS = {"domains": ["moderation", "objects"], "interval_seconds": 0.5}
_EXAMPLE = {"media": "s3://bucket/clip.mp4", "options": _OPTIONS}
_LINES = '{"media": "s3://bucket/clip.mp4"}\n{"text": "have a nice day", "id": "c-17"}\n'
_ERROR = {
    "error": {
        "type": "CorruptMediaError",
        "message": "upload.mp4: the header is missing, damaged or cut off; upload the file again or repair it",
        "status": 422,
        "request_id": "0f8b2c6d5f1e4d0c9b7a6e5d4c3b2a10",
    }
}
_REFUSALS = {
    400: "an empty body, or an option that does not exist",
    403: "media is named that may not be fetched",
    406: "no output form that Accept allows",
    408: "the body came too slowly",
    413: "the body, the picture or the duration is over the limit",
    415: "a Content-Type or a container that is not served",
    422: "media that is damaged, or JSON that is not of the wanted form",
    503: "starting, full, draining or failed; see Retry-After",
    507: "no room for the body in the temporary folder",
}


def _refusal(meaning: str) -> dict[str, Any]:
    return {"description": meaning, "content": {"application/json": {"example": _ERROR}}}


def _parameter(name: str, schema: dict[str, Any], example: object) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "example": example}


INVOCATIONS: dict[str, Any] = {
    "parameters": [
        _parameter("domains", {"type": "string"}, "moderation,objects"),
        _parameter("interval_seconds", {"type": "number"}, 1.0),
        _parameter("frame_detail", {"type": "boolean"}, False),
        _parameter("policy", {"type": "string", "enum": ["default", "none"]}, "default"),
        _parameter("format", {"type": "string"}, "csv"),
    ],
    "requestBody": {
        "required": True,
        "content": {
            "video/mp4": _BYTES,
            "audio/wav": _BYTES,
            "image/jpeg": _BYTES,
            "text/plain": {"schema": {"type": "string"}},
            "application/octet-stream": _BYTES,
            "application/json": {"schema": Named.model_json_schema(), "example": _EXAMPLE},
            "application/jsonlines": {"schema": {"type": "string"}, "example": _LINES},
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
            },
        },
    },
    "responses": {
        "200": {
            "description": "The report; `reelwarden schema` prints its JSON Schema.",
            "content": {
                "application/json": {"schema": {"type": "object"}},
                "application/jsonlines": {"schema": {"type": "string"}},
            },
        },
        **{str(status): _refusal(meaning) for status, meaning in _REFUSALS.items()},
    },
}
