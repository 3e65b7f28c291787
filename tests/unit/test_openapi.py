"""The OpenAPI document knows every status, form and schema that the server answers with, and its examples are right."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
import jsonschema
import pytest

from model_zoo.report import Report
from serve.formats import FORMS
from serve.sagemaker import create_app
from serve.settings import load_settings
from serve.web import refusals
from serve.web.refusals import RefusedError
from serve.web.service import Service
from serve.web.uploads import check_size
from tests.conftest import ROOT

NEVER_SENT = 499  # the client has left


def ask(method: str, path: str, **words: Any) -> httpx.Response:
    """Ask a server that has not loaded its models."""

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(Service(load_settings(), 60)))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.request(method, path, **words)

    return asyncio.run(asked())


@cache
def document() -> dict[str, Any]:
    made: dict[str, Any] = ask("GET", "/openapi.json").json()
    return made


def responses() -> dict[str, Any]:
    found: dict[str, Any] = document()["paths"]["/invocations"]["post"]["responses"]
    return found


def kinds(kind: type[RefusedError]) -> Iterator[type[RefusedError]]:
    for below in kind.__subclasses__():
        yield below
        yield from kinds(below)


def test_every_status_that_the_server_can_answer_is_there_and_in_the_docs() -> None:
    can = {kind.status for kind in kinds(RefusedError)} | {status for _, status in refusals._STATUS}
    can |= {200, 404, 405, refusals.status_of(RuntimeError())}
    table = (ROOT / "docs" / "http.md").read_text("utf-8").split("## Status")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
    assert {int(status) for status in responses()} == can - {NEVER_SENT}
    assert {int(status) for row in rows for status in row.split(",")} == can - {NEVER_SENT}


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("POST", "/invocations", {"content": b"a", "headers": {"Content-Type": "video/mp4"}}),
        ("POST", "/invocations", {"content": b"a", "headers": {"Content-Type": "font/woff"}}),
        ("GET", "/invocations", {}),
        ("POST", "/predict", {}),
    ],
)
def test_an_example_is_the_very_answer(method: str, path: str, words: dict[str, Any]) -> None:
    answer = ask(method, path, **words)
    example = responses()[str(answer.status_code)]["content"]["application/json"]["example"]
    assert answer.json() | {"error": answer.json()["error"] | {"request_id": None}} == {
        "error": example["error"] | {"request_id": None}
    }
    assert ("retry-after" in answer.headers) == ("Retry-After" in responses()[str(answer.status_code)]["headers"])


def test_the_example_of_a_body_over_the_limit_is_what_is_said_then() -> None:
    with pytest.raises(RefusedError) as raised:
        check_size(2_000_000_000, load_settings().max_body_bytes)
    assert str(raised.value) == responses()["413"]["content"]["application/json"]["example"]["error"]["message"]


def test_examples_are_of_the_status_they_stand_at_and_of_their_schemas() -> None:
    seen = set()
    for status, answer in responses().items():
        for content in answer["content"].values():
            if "example" in content:
                schema = content["schema"] | {"components": document()["components"]}
                jsonschema.validate(content["example"], schema, jsonschema.Draft202012Validator)
                seen.add(status)
        if status != "200":
            assert str(answer["content"]["application/json"]["example"]["error"]["status"]) == status
    assert seen == set(responses())


def test_the_report_and_every_other_form_is_told_of() -> None:
    content = responses()["200"]["content"]
    assert {form.content_type for form in FORMS.values()} <= set(content)
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/Report"}
    report = Report.model_validate(content["application/json"]["example"])
    for form in FORMS.values():
        assert ("example" in content[form.content_type]) == (not form.needs or bool({*form.needs} & {*report.domains}))
    parts = document()["components"]["schemas"]["Domains"]["properties"]
    assert set(parts) >= {"moderation", "labels", "transcription"}


def test_every_reference_leads_somewhere() -> None:
    known = document()["components"]["schemas"]
    named = set(references(document()))
    assert {f"#/components/schemas/{name}" for name in ("Report", "Named", "Options", "Error")} <= named
    assert named <= {f"#/components/schemas/{name}" for name in known}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)
