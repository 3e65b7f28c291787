"""The form of one answer among JSON Lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_zoo.errors import FormError
from serve.formats import FORMS
from serve.web.outputs import line_output
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
