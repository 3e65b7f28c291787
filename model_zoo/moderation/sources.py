"""Where evidence comes from, in the words of the report: domain/model."""

from __future__ import annotations

from model_zoo.report import DomainPart


def source_of(domain: str, part: DomainPart) -> str:
    """Return domain/model of another domain's part, or the domain where no model is named."""
    return f"{domain}/{part.models[0].name}" if part.models else domain
