"""How an answer is written: a form of the report, chosen by an option or by Accept, or the page for people."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from starlette.requests import Request

from model_zoo.errors import FormError
from model_zoo.report import Report
from serve.formats import FORMS, Form, check_domains, form_named, render
from serve.formats.negotiate import negotiate
from serve.limits import Limits
from serve.media import open_media
from serve.review import media_source, page
from serve.review.source import MOST_EMBEDDED_BYTES
from serve.web.intake import JSON_LINES, wants_page
from serve.web.refusals import NoResultError

JSON_FORM = FORMS["json"]
# the answers to lines, each in the form that its line asks for; by the names that lines of segments have, too
LINES_FORM = replace(FORMS["jsonl"], media_types=tuple(dict.fromkeys((JSON_LINES, *FORMS["jsonl"].media_types))))
PAGE_TYPE = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Output:
    """The form of one answer: its Content-Type, and how a report and its media become its bytes."""

    content_type: str
    write: Callable[[Report, Path], bytes]


def output_of(request: Request, form_name: str | None, domains: tuple[str, ...], limits: Limits) -> Output:
    """Return the form of the answer; raises FormError where there is none, or none of its domains will run."""
    accept = request.headers.get("accept")
    if form_name is None and wants_page(request):
        return Output(PAGE_TYPE, lambda report, path: _page(report, path, limits))
    if form_name is not None:
        form = form_named(form_name)
        content_type = form.content_type
    else:
        chosen = negotiate(accept)
        form, content_type = chosen.form, chosen.content_type
    check_domains(form, domains)
    return Output(content_type, lambda report, _path: _written(form, report))


def lines_type(accept: str | None, lines: int | None = None) -> str:
    """Return the Content-Type of the answers to so many lines, or to a number not known yet.

    Raises NotAcceptableError where `accept` allows neither lines nor, for one alone, a JSON document.
    """
    forms = {LINES_FORM.name: LINES_FORM}
    if lines in (None, 1):
        forms |= {JSON_FORM.name: JSON_FORM}
    return negotiate(accept, forms).content_type


def line_output(form_name: str | None, domains: tuple[str, ...]) -> Output:
    """Return the form of one line among JSON Lines; raises FormError for a form that is not one JSON document."""
    form = form_named(form_name or JSON_FORM.name)
    if form.media_types[0] != JSON_FORM.media_types[0]:
        raise FormError(f"the form {form.name} is no JSON document, so it cannot be one line; ask for each media alone")
    check_domains(form, domains)
    return Output(form.content_type, lambda report, _path: _one_line(form, report))


def _written(form: Form, report: Report) -> bytes:
    return report.model_dump_json().encode() if form is JSON_FORM else _rendered(form, report).encode()


def _one_line(form: Form, report: Report) -> bytes:
    if form is JSON_FORM:
        return report.model_dump_json().encode()
    return json.dumps(json.loads(_rendered(form, report)), ensure_ascii=False).encode()


def _rendered(form: Form, report: Report) -> str:
    """Return the report in a form; that its domain was asked for is known by now, so a lack of results is ours."""
    try:
        return render(form, report)
    except FormError as error:
        raise NoResultError(str(error)) from error


def _page(report: Report, path: Path, limits: Limits) -> bytes:
    """Return the review page with the media inside of it, or with pictures alone where it is large."""
    media = open_media(path, limits)
    embed = media.facts.size_bytes <= MOST_EMBEDDED_BYTES
    return page(report, media_source(report, media, None, embed=embed)).encode()
