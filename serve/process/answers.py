"""What is written for one input: the report, further forms of it, and the page on which a person decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from model_zoo.domains import DOMAINS
from model_zoo.errors import FormError
from model_zoo.report import Report
from serve.album import Album
from serve.formats import Form, check_domains, render
from serve.formats.files import forms_named
from serve.formats.own import JSON
from serve.media import open_media
from serve.process.names import ANSWER
from serve.process.settings import JobSettings
from serve.review import media_source, page
from serve.settings import Settings

REVIEW = ".review.html"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is wanted beside the report."""

    forms: tuple[Form, ...] = ()
    review: bool = False

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Return what the names of the answers of an input end in, the report's own first."""
        forms = tuple(f".{form.suffix}" for form in self.forms)
        return (ANSWER, *forms, *((REVIEW,) if self.review else ()))

    def album(self) -> Album | None:
        """Return what keeps the pictures for the page, where one is wanted."""
        return Album() if self.review else None


def wishes_of(job: JobSettings, settings: Settings) -> Wishes:
    """Return what the settings wish; raises FormError for a form that there is not or that no domain can fill."""
    forms = tuple(form for form in forms_named(job.format) if form is not JSON)
    for form in forms:
        check_domains(form, settings.domains or tuple(domain.name for domain in DOMAINS))
    return Wishes(forms, job.review)


def beside(
    report: Report, path: Path, wishes: Wishes, settings: Settings, album: Album | None, folder: Path | None
) -> Iterator[tuple[str, str]]:
    """Yield (suffix, text) of everything beside the report; a form whose domain failed is left out.

    `folder` is where the page will lie; None where it cannot lead to the media from there.
    """
    for form in wishes.forms:
        try:
            yield f".{form.suffix}", render(form, report)
        except FormError:  # the entry says that the domain failed
            continue
    if wishes.review:
        media = open_media(path, settings.limits())
        source = media_source(report, media, folder or path.parent, album=album)
        yield REVIEW, page(report, source if folder else replace(source, url=None))
