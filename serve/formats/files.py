"""Write a report in several forms, beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from model_zoo.errors import FormError
from model_zoo.report import Report
from serve.files import write_atomically
from serve.formats import form_named, render
from serve.formats.form import Form
from serve.formats.own import JSON


def forms_named(words: Iterable[str]) -> list[Form]:
    """Return the forms that are named, each once; a word may hold several names with commas. Raises FormError."""
    names = [name.strip() for word in words for name in word.split(",") if name.strip()]
    return [form_named(name) for name in dict.fromkeys(names)]


def write_forms(report: Report, place: Path, forms: Sequence[Form]) -> list[FormError]:
    """Write the report to `place`, say OUT/report.json, and every other form beside it, say OUT/report.srt.

    Returns why forms were left out: their domain has no results.
    """
    write_atomically(place, render(JSON, report))
    left_out = []
    for form in forms:
        if form is JSON:
            continue
        try:
            write_atomically(place.with_suffix(f".{form.suffix}"), render(form, report))
        except FormError as error:
            left_out.append(error)
    return left_out
