"""The Accept header chooses the form of the answer."""

from __future__ import annotations

import contextlib
import time
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_zoo.errors import NotAcceptableError
from serve.formats import FORMS, Form
from serve.formats.negotiate import MOST_CHARACTERS, negotiate

PROFILE = "application/json; profile=rekognition-content-moderation"


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        (None, "json"),
        ("", "json"),
        ("*/*", "json"),
        ("application/json", "json"),
        ("Application/JSON; charset=utf-8", "json"),
        ("application/*", "json"),
        ("text/*", "csv"),
        ("text/csv", "csv"),
        ("text/csv, */*", "csv"),
        ("*/*;q=0.1, text/vtt", "vtt"),
        ("text/vtt;q=0.5, application/x-subrip;q=0.9", "srt"),
        ("application/x-subrip;q=0.9, application/json; q=1.0", "json"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "json"),
        ("application/jsonl", "jsonl"),
        ("application/x-ndjson", "jsonl"),
        ("application/jsonlines", "jsonl"),
        ("text/plain", "txt"),
        (PROFILE, "rekognition-content-moderation"),
        ('application/json;q=0.2, application/json;profile="rekognition-text-detection"', "rekognition-text-detection"),
        ("application/json, application/json;profile=transcribe-transcript", "json"),
        ("application/json;profile=transcribe-toxicity , */*", "transcribe-toxicity"),
        ("application/json;profile=nonsense, text/csv;q=0.1", "csv"),
        ("application/json;q=0, */*", "jsonl"),
        ('x/y;title="a, text/csv", text/vtt', "vtt"),
        ("garbage, text/csv", "csv"),
        (",, text/csv,", "csv"),
        ("text/vtt;q=high, text/csv;q=0.1", "csv"),
    ],
)
def test_the_best_form_that_the_caller_accepts_is_chosen(accept: str | None, name: str) -> None:
    assert negotiate(accept).form.name == name


@pytest.mark.parametrize("form", FORMS.values(), ids=lambda form: form.name)
def test_every_form_is_chosen_by_its_own_content_type_and_by_its_other_names(form: Form) -> None:
    assert negotiate(form.content_type).form is form
    for name in form.media_types[1:]:
        assert negotiate(name).form is form


def test_the_answer_is_called_as_the_caller_calls_it() -> None:
    assert negotiate("application/jsonlines").content_type == "application/jsonlines"
    assert negotiate("text/csv").content_type == "text/csv; charset=utf-8"
    assert negotiate(PROFILE).content_type == PROFILE
    assert negotiate("*/*").content_type == "application/json"


@pytest.mark.parametrize("accept", ["text/html", "application/json;profile=nonsense", "*/*;q=0", "garbage", "image/*"])
def test_what_is_not_there_is_refused_with_what_is(accept: str) -> None:
    with pytest.raises(NotAcceptableError) as caught:
        negotiate(accept)
    assert accept in str(caught.value)
    for form in FORMS.values():
        assert form.content_type.removesuffix("; charset=utf-8") in str(caught.value)


def test_a_hostile_header_is_answered_at_once_and_on_one_line() -> None:
    start = time.perf_counter()
    pieces = (
        ",",
        '"',
        'a/b;"',
        "a/b;" + '"\\' * 10,
        "a/b;;",
        "a/b ",
        "; ",
        " ",
        'a/b;x="\\',
        ";aaaaaaaa",
        ';a="b"',
        "=",
    )
    for head, piece, tail in product(("", "a/b", "a/b;x="), pieces, ("", '"', "\\", ";", "/")):
        try:
            negotiate(head + piece * (MOST_CHARACTERS // len(piece) - 3) + tail)
        except NotAcceptableError as error:
            assert len(str(error)) < 2000  # noqa: PT017 - either outcome is right
    assert time.perf_counter() - start < 2.0
    with pytest.raises(NotAcceptableError) as caught:
        negotiate("text/html\r\nSet-Cookie: a=b")
    assert "\n" not in str(caught.value)


@given(st.text(alphabet='atex/*;,="\\q0.1 \n-csvjson', max_size=80))
def test_any_header_gives_a_form_or_the_typed_error(accept: str) -> None:
    with contextlib.suppress(NotAcceptableError):
        assert negotiate(accept).form in FORMS.values()
