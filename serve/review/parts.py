"""The parts of a report with their own types, also of a report that was read from a file."""

from __future__ import annotations

from typing import TypeVar

from model_zoo.report import DomainPart, Report

Part = TypeVar("Part", bound=DomainPart)


def part_of(report: Report, domain: str, kind: type[Part]) -> Part:
    """Return what a domain found, as its own type; an empty part where it did not run."""
    part = report.domains.get(domain)
    if part is None:
        return kind()
    return part if isinstance(part, kind) else kind.model_validate(part.model_dump())
