"""Choose an output form for the value of an HTTP Accept header (RFC 9110, 12.5.1; RFC 6906 for `profile`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from model_zoo.errors import NotAcceptableError
from serve.formats import FORMS
from serve.formats.form import Form, content_type
from serve.shown import shown

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a token of HTTP's grammar
# what follows a comma outside quotes is the next range; possessive, as a stranger writes this and it must not backtrack
RANGE = re.compile(rf"\s*+({TOKEN}/{TOKEN})\s*+((?:;(?:[^,\"]|\"(?:[^\"\\]|\\.)*+\")*+)?)(?:,|$)")
PARAMETER = re.compile(rf";\s*({TOKEN})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|({TOKEN}))")
QUALITY = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")
MOST_CHARACTERS = 4096  # of the header that are read
MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Chosen:
    """The form of the answer, and its Content-Type in the words the caller asked with."""

    form: Form
    content_type: str


@dataclass(frozen=True, slots=True)
class Range:
    """One entry of the header."""

    media_type: str  # type/subtype, type/* or */*
    profile: str | None
    quality: float
    place: int  # in the header


@dataclass(frozen=True, slots=True)
class Match:
    """How well a name of a form fits the header."""

    form: Form
    media_type: str
    range: Range
    exactness: int


def negotiate(accept: str | None, forms: Mapping[str, Form] = FORMS) -> Chosen:
    """Return the form that an Accept header asks for; without one, the report itself.

    The greatest q-value wins; then the most exact range, so that `text/csv, */*` is CSV; then the first in the header;
    then the first of `forms`. Raises NotAcceptableError, which lists what there is.
    """
    ranges = list(_ranges((accept or "")[:MOST_CHARACTERS]))
    if not (accept or "").strip():
        ranges = [Range("*/*", None, 1.0, 0)]
    matches = [match for form in forms.values() for name in form.media_types if (match := _match(form, name, ranges))]
    wanted = [match for match in matches if match.range.quality > 0]
    if not wanted:
        raise NotAcceptableError(f"Accept: {shown((accept or '')[:MOST_SHOWN])}: no such form; {listed(forms)}")
    best = max(wanted, key=lambda match: (match.range.quality, match.exactness, -match.range.place))
    return Chosen(best.form, content_type(best.media_type, best.form.profile))


def listed(forms: Mapping[str, Form] = FORMS) -> str:
    """Return what can be asked for, in one line."""
    return f"there are {', '.join(content_type(form.media_types[0], form.profile) for form in forms.values())}"


def _ranges(accept: str) -> Iterator[Range]:
    """Yield the entries of the header; what is no media range is passed over."""
    position = 0
    for place in range(len(accept)):
        found = RANGE.match(accept, position)
        if found:
            parameters = {name.lower(): quoted or plain for name, quoted, plain in PARAMETER.findall(found[2])}
            profile = parameters.get("profile")
            yield Range(found[1].lower(), profile.lower() if profile else None, _quality(parameters.get("q")), place)
        comma = accept.find(",", position)
        position = found.end() if found else comma + 1
        if position >= len(accept) or position == 0:
            return


def _quality(text: str | None) -> float:
    """Return a q-value; one that is none counts as 0, as nobody knows what was meant."""
    if text is None:
        return 1.0
    return float(text) if QUALITY.fullmatch(text) else 0.0


def _match(form: Form, media_type: str, ranges: list[Range]) -> Match | None:
    """Return the most exact range that a name of a form fits; of equally exact ones the first."""
    fitting = [
        Match(form, media_type, item, exactness)
        for item in ranges
        if (exactness := _exactness(form, media_type, item)) > 0
    ]
    return max(fitting, key=lambda match: (match.exactness, -match.range.place), default=None)


def _exactness(form: Form, media_type: str, item: Range) -> int:
    """Return how exactly a range names a form, 0 where it does not."""
    if item.profile is not None and item.profile != form.profile:
        return 0
    if item.media_type == media_type:
        return 4 if item.profile == form.profile else 3
    if item.media_type == f"{media_type.split('/')[0]}/*":
        return 2
    return 1 if item.media_type == "*/*" else 0
