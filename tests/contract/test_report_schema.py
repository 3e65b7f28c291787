"""A report that was written once can be read for ever: old reports against today's schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from model_zoo.report import Report
from serve.schema import report_schema

OLD_REPORTS = sorted((Path(__file__).parent / "reports").glob("*.json"))


def lost(old: Any, new: Any, place: str = "report") -> Iterator[str]:
    """Yield what a report that was read and written again lacks or says differently; new fields may be null."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            yield from lost(old.get(key), new.get(key), f"{place}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from lost(one, other, f"{place}[{index}]")
    elif old != new:
        yield f"{place}: {old!r} became {new!r}"


@pytest.mark.parametrize("path", OLD_REPORTS, ids=lambda path: path.stem)
def test_an_old_report_fits_the_schema_of_today(path: Path) -> None:
    jsonschema.validate(json.loads(path.read_text("utf-8")), report_schema(), jsonschema.Draft202012Validator)


@pytest.mark.parametrize("path", OLD_REPORTS, ids=lambda path: path.stem)
def test_an_old_report_loses_nothing_when_it_is_read_and_written(path: Path) -> None:
    text = path.read_text("utf-8")
    written = json.loads(Report.model_validate_json(text).model_dump_json())
    assert list(lost(json.loads(text), written)) == []


def test_there_is_an_old_report() -> None:
    assert OLD_REPORTS


def test_the_schema_describes_every_field() -> None:
    schema = report_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    parts = schema["$defs"]["Domains"]["properties"]
    assert set(parts) >= {"moderation", "objects", "labels", "shots", "sounds"}


def test_a_report_of_another_major_version_is_refused() -> None:
    document = json.loads(OLD_REPORTS[0].read_text("utf-8")) | {"schema_version": "reelwarden.report/2"}
    with pytest.raises(ValueError, match=r"reelwarden\.report/1"):
        Report.model_validate(document)
