"""Read a report that was written to a file."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from model_zoo.domains import DOMAINS
from model_zoo.errors import UsageError
from model_zoo.report import DomainPart, Report

PARTS: dict[str, type[DomainPart]] = {domain.name: domain.part for domain in DOMAINS}


def read_report(path: Path) -> Report:
    """Return the report of a file, every known domain's part with its own type; raises UsageError."""
    try:
        document = json.loads(path.read_text("utf-8"))
        report = Report.model_validate(document)
        parts = {
            name: PARTS[name].model_validate(document["domains"][name]) if name in PARTS else part
            for name, part in report.domains.items()
        }
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "document"
        raise UsageError(f"{path}: not a report of this version: {place}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not a report: {error}") from error
    return report.model_copy(update={"domains": parts})
