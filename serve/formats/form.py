"""What an output form is: a function from a report to text, and how that text is called."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from model_zoo.errors import FormError
from model_zoo.report import Report


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a report. `render` is deterministic; of the domains in `needs` at least one must have run."""

    name: str
    title: str  # one line for people
    media_types: tuple[str, ...]  # the first is the form's own, the others are accepted names of it
    suffix: str  # of a file
    render: Callable[[Report], str]
    profile: str | None = None  # tells forms of one media type apart
    needs: tuple[str, ...] = ()

    @property
    def content_type(self) -> str:
        """Return the value of the HTTP header Content-Type."""
        return content_type(self.media_types[0], self.profile)


def content_type(media_type: str, profile: str | None) -> str:
    """Return a media type with its parameters."""
    if profile:
        return f"{media_type}; profile={profile}"
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def render(form: Form, report: Report) -> str:
    """Return a report in a form; raises FormError where none of the domains that the form speaks of gave results."""
    if form.needs and not any(name in report.domains for name in form.needs):
        failed = {error.domain: error.message for error in report.errors}
        why = next((f"it failed: {failed[name]}" for name in form.needs if name in failed), "it did not run")
        raise FormError(f"{report.media.name}: the form {form.name} needs the domain {_either(form)}, and {why}")
    return form.render(report)


def check_domains(form: Form, domains: tuple[str, ...]) -> None:
    """Raise FormError where an analysis with these domains can never fill the form."""
    if form.needs and not set(form.needs) & set(domains):
        raise FormError(f"the form {form.name} needs the domain {_either(form)}; add it to the domains to run")


def _either(form: Form) -> str:
    return " or ".join(form.needs)


def as_json(document: Any) -> str:
    """Return a JSON document as it is written to files and answers."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
