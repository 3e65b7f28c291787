"""The points of the serving contract that are about texts; used as contract_http.py is, and beside it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.integration.contract_http import error_of, lasting, post

RATED = [(0, "c-17", "have a nice day"), (1, None, "the sun is out"), (2, "18", "see you")]
COMMENTS = '{"id": "c-17", "text": "have a nice day"}\n"the sun is out"\n{"text": "see you", "id": 18}\n'


def texts_of(report: dict[str, Any]) -> list[tuple[int, str | None, str]] | None:
    """Return number, id and words of every text that was rated; None where nothing here rates texts."""
    assert report["media"]["kind"] == "text"
    part = report["domains"].get("toxicity")
    return part and [(text["item"], text["item_id"], text["text"]) for text in part["texts"]]


def test_texts_come_in_the_json_itself_and_each_keeps_its_id(http: httpx.Client) -> None:
    one = lasting(post(http, b'{"text": "have a nice day", "id": "c-17"}', "application/json"))
    assert texts_of(one) in (None, RATED[:1])
    rows = [{"text": text} | ({"id": own_id} if own_id else {}) for _, own_id, text in RATED]
    body = {"texts": [rows[0], rows[1]["text"], rows[2]], "options": {"policy": "none"}}
    several = lasting(post(http, json.dumps(body).encode(), "application/json"))
    assert several["verdict"] is None
    assert texts_of(several) in (None, RATED)


def test_lines_of_json_may_be_texts_and_each_has_an_answer(http: httpx.Client) -> None:
    lines = b'{"text": "have a nice day", "id": "c-17"}\n{"texts": []}\n{"text": "see you"}\n'
    answers = [json.loads(line) for line in post(http, lines, "application/jsonlines").text.splitlines()]
    assert answers[1]["error"]["status"] == 422
    assert texts_of(answers[0]) in (None, RATED[:1])
    assert texts_of(answers[2]) in (None, [(0, None, "see you")])


@pytest.mark.parametrize(
    ("name", "content", "rated"),
    [
        ("c.jsonl", COMMENTS, RATED),
        ("c.JSON", '["have a nice day"]', [(0, None, "have a nice day")]),
        ("c.txt", "have a nice day", [(0, None, "have a nice day")]),
    ],
)
def test_a_form_may_bring_a_file_of_texts(http: httpx.Client, name: str, content: str, rated: list[Any]) -> None:
    report = lasting(http.post("/invocations", files={"file": (name, content.encode())}))
    assert report["media"]["name"] == name
    assert texts_of(report) in (None, rated)


def test_texts_that_are_none_are_a_422_that_says_what_to_write(http: httpx.Client) -> None:
    for body in ({"text": 7}, {"text": "a", "media": "s3://a/b"}, {}, {"texts": ["a", 7]}, {"texts": "a"}, {"id": 1}):
        answer = post(http, json.dumps(body).encode(), "application/json")
        assert answer.status_code == 422, body
        assert '{"texts": ["..."' in error_of(answer)["message"]
    wrong = http.post("/invocations", files={"file": ("c.jsonl", b'{"tekst": "a"}\n')})
    assert wrong.status_code == 422
    assert "line 1" in error_of(wrong)["message"]
