"""The OpenAPI document: what /invocations takes, the report and every other form, and an answer for every status.

It is made when it is first asked for, since it needs the parts of every domain, and a server opens its port before it
has loaded them.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from model_zoo.report import Report
from serve.settings import LEAST_INTERVAL_SECONDS
from serve.web.openapi_errors import ERROR, REFERENCE, REQUEST_ID, reference, refusals
from serve.web.options import Named

_TEXT = {"type": "string"}
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_OPTIONS = {"domains": ["moderation", "objects"], "interval_seconds": 0.5}
_EXAMPLE = {"media": "s3://bucket/clip.mp4", "options": _OPTIONS}
_LINES = json.dumps(_EXAMPLE) + '\n{"text": "have a nice day", "id": "c-17"}\n'


def describe(app: FastAPI) -> None:
    """Have /openapi.json tell of everything that /invocations takes and answers."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    from serve.schema import report_schema

    made = get_openapi(title=app.title, version=app.version, routes=app.routes)
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    schemas |= {"Error": ERROR, "Report": report_schema(REFERENCE), "Named": _schema_of_named()}
    for name in ("Report", "Named"):
        schemas |= schemas[name].pop("$defs")
    made["paths"]["/invocations"]["post"] |= {
        "parameters": _parameters(),
        "requestBody": {"required": True, "content": _bodies()},
        "responses": {"200": _answer()} | refusals(),
    }
    return made


def _schema_of_named() -> dict[str, Any]:
    return Named.model_json_schema(ref_template=REFERENCE)


def _parameters() -> list[dict[str, Any]]:
    values: dict[str, tuple[dict[str, Any], object]] = {
        "domains": (_TEXT, "moderation,objects"),
        "interval_seconds": ({"type": "number", "minimum": LEAST_INTERVAL_SECONDS, "maximum": 3600}, 1.0),
        "frame_detail": ({"type": "boolean"}, False),
        "policy": ({"type": "string", "enum": ["default", "none"]}, "default"),
        "format": (_TEXT, "csv"),
    }
    return [
        {"name": name, "in": "query", "schema": schema, "example": example}
        for name, (schema, example) in values.items()
    ]


def _bodies() -> dict[str, Any]:
    return {
        "video/mp4": _BYTES,
        "audio/wav": _BYTES,
        "image/jpeg": _BYTES,
        "text/plain": {"schema": _TEXT, "example": "Good morning."},
        "application/octet-stream": _BYTES,
        "application/json": {"schema": reference("Named"), "example": _EXAMPLE},
        "application/jsonlines": {"schema": _TEXT, "example": _LINES},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": _BYTES["schema"]}
                | {parameter["name"]: parameter["schema"] for parameter in _parameters()},
            }
        },
    }


def _answer() -> dict[str, Any]:
    from serve.formats import FORMS, Form, render

    report = Report.model_validate_json(files("serve.web").joinpath("example_report.json").read_text("utf-8"))

    def content(form: Form) -> dict[str, Any]:
        is_json = form.media_types[0] == "application/json"
        said: dict[str, Any] = {"schema": {"type": "object"} if is_json else _TEXT}
        if not form.needs or set(form.needs) & set(report.domains):
            text = render(form, report)
            said["example"] = json.loads(text) if is_json else text
        return said | {"schema": reference("Report")} if form.name == "json" else said

    titles = "".join(f"\n- `{form.name}`, `{form.content_type}`: {form.title}" for form in FORMS.values())
    others = {media_type: {"schema": _TEXT} for media_type in ("application/jsonlines", "text/html; charset=utf-8")}
    return {
        "description": "The report, or another form of it, by its name in the option `format` or its type in Accept; "
        "JSON Lines of media are answered with a line for each, browsers with the page on which a person decides.\n"
        + titles,
        "headers": REQUEST_ID,
        "content": {form.content_type: content(form) for form in FORMS.values()} | others,
    }
