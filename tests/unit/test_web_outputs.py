"""The form of one answer among JSON Lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_zoo.errors import FormError, NotAcceptableError
from serve.formats import FORMS
from serve.web.outputs import line_output, lines_type
from tests.unit.report_fixtures import everything

EVERY_DOMAIN = tuple(everything().domains)
ONE_DOCUMENT = [name for name, form in FORMS.items() if form.media_types == ("application/json",)]


@pytest.mark.parametrize("name", ONE_DOCUMENT)
def test_a_form_that_is_one_json_document_can_be_a_line(name: str) -> None:
    line = line_output(name, EVERY_DOMAIN).write(everything(), Path("clip.mp4")).decode()
    assert "\n" not in line
    assert isinstance(json.loads(line), dict)


@pytest.mark.parametrize("name", sorted(FORMS.keys() - set(ONE_DOCUMENT)))
def test_a_form_of_several_lines_cannot(name: str) -> None:
    with pytest.raises(FormError, match=f"the form {name} is no JSON document"):
        line_output(name, EVERY_DOMAIN)


@pytest.mark.parametrize(
    ("accept", "one", "several"),
    [
        *((None, "application/jsonlines", "application/jsonlines"), ("*/*", "application/jsonlines", None)),
        ("application/jsonlines", "application/jsonlines", "application/jsonlines"),
        ("application/x-ndjson, application/json;q=0.5", "application/x-ndjson", "application/x-ndjson"),
        ("application/json, */*;q=0.1", "application/json", "application/jsonlines"),
    ],
)
def test_lines_are_answered_as_accept_says(accept: str | None, one: str, several: str | None) -> None:
    assert lines_type(accept, 1) == one
    assert lines_type(accept, 2) == (several or one)
    assert lines_type(accept)


def test_several_lines_are_no_json_document() -> None:
    assert lines_type("application/json", 1) == "application/json"
    with pytest.raises(NotAcceptableError, match="application/jsonlines"):
        lines_type("application/json", 2)


@pytest.mark.parametrize("accept", ["image/png", "text/csv", "application/json;q=0"])
def test_what_no_line_can_be_is_refused_before_they_are_here(accept: str) -> None:
    with pytest.raises(NotAcceptableError, match=r"there are application/jsonlines, application/json"):
        lines_type(accept)
