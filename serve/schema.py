"""The JSON Schema of the report, with the part of every domain in its place."""

from __future__ import annotations

from typing import Any

from pydantic import create_model

from model_zoo.document import ReportModel
from model_zoo.domains import DOMAINS
from model_zoo.report import Report


def report_schema(reference: str = "#/$defs/{model}") -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `reelwarden.report/1`; `reference` is where its `$defs` will lie."""
    fields: dict[str, Any] = {domain.name: (domain.part | None, None) for domain in DOMAINS}
    parts = create_model("Domains", __base__=ReportModel, **fields)
    whole = create_model("Report", __base__=Report, domains=(parts, ...))
    schema = whole.model_json_schema(mode="serialization", ref_template=reference)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "reelwarden.report/1"} | schema
