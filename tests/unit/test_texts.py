"""Files of text: what is read, and what is refused with which words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_zoo.errors import CorruptMediaError, MediaError, MediaLimitError, UnsupportedMediaError
from serve.limits import Limits
from serve.media import find_media, open_media


def texts_of(folder: Path, name: str, content: str | bytes, limits: Limits | None = None) -> tuple[str, ...]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return tuple(given.text for given in open_media(path, limits or Limits()).texts)


def test_a_plain_file_is_one_text(tmp_path: Path) -> None:
    assert texts_of(tmp_path, "a.txt", "Hello\nworld\n") == ("Hello\nworld\n",)


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    assert texts_of(tmp_path, "a.TXT", b"\xef\xbb\xbfHello") == ("Hello",)


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ({"text": "a", "user": 7}, ("a",)),
        ("a", ("a",)),
        (["a", {"text": "b"}], ("a", "b")),
    ],
)
def test_json_holds_one_text_or_a_list(tmp_path: Path, content: object, texts: tuple[str, ...]) -> None:
    assert texts_of(tmp_path, "a.json", json.dumps(content)) == texts


def test_json_lines_hold_one_text_a_line_and_blank_lines_none(tmp_path: Path) -> None:
    content = '{"text": "a"}\r\n\r\n"b\u2028c"\n'
    assert texts_of(tmp_path, "a.jsonl", content) == ("a", "b\u2028c")


def test_a_text_keeps_the_id_that_its_line_gives_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "id": "c-17"}\n"b"\n{"id": 18, "text": "c"}\n{"id": true, "text": "d"}\n')
    assert [given.id for given in open_media(path, Limits()).texts] == ["c-17", None, "18", None]


def test_facts_say_that_it_is_text(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('"a"\n')
    facts = open_media(path, Limits()).facts
    assert (facts.kind, facts.container, facts.size_bytes, facts.duration_seconds) == ("text", "jsonl", 4, None)


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("a.jsonl", '"a"\n{"tekst": "b"}\n', UnsupportedMediaError, "a.jsonl line 2: an object without a `text`"),
        ("a.jsonl", '"a"\n{"text": 7}\n', UnsupportedMediaError, "a.jsonl line 2: int is no text"),
        ("a.jsonl", '"a"\n{"text"\n', CorruptMediaError, "a.jsonl line 2: not JSON"),
        ("a.json", "[1]", UnsupportedMediaError, "a.json entry 1: int is no text"),
        ("a.json", "[" * 200_000, CorruptMediaError, "a.json: not JSON"),
        ("a.json", "[]", CorruptMediaError, "a.json: there is no text in it"),
        ("a.txt", " \n", CorruptMediaError, "a.txt: there is no text in it"),
        ("a.txt", b"caf\xe9", CorruptMediaError, "a.txt: not UTF-8 at byte 3; save the file as UTF-8"),
        ("a.txt", "", CorruptMediaError, "a.txt: the file has 0 bytes"),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(
    tmp_path: Path, name: str, content: str | bytes, error: type[MediaError], words: str
) -> None:
    with pytest.raises(error) as raised:
        texts_of(tmp_path, name, content)
    assert str(raised.value).startswith(words)


def test_an_error_never_quotes_the_text(tmp_path: Path) -> None:
    with pytest.raises(CorruptMediaError) as raised:
        texts_of(tmp_path, "a.jsonl", '{"text": "my secret", oops}\n')
    assert "secret" not in str(raised.value)


def test_too_many_texts_and_too_many_bytes_name_the_setting(tmp_path: Path) -> None:
    with pytest.raises(MediaLimitError, match=r"more than 2 texts.*REELWARDEN_MAX_TEXTS"):
        texts_of(tmp_path, "a.json", '["a", "b", "c"]', Limits(max_texts=2))
    with pytest.raises(MediaLimitError, match=r"11 bytes of text.*REELWARDEN_MAX_TEXT_BYTES"):
        texts_of(tmp_path, "a.txt", "Hello world", Limits(max_text_bytes=10))


def test_a_folder_is_not_searched_for_text_because_reports_lie_there(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(MediaError, match="no media in this folder"):
        find_media([tmp_path])
