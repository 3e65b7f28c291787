"""Which texts does the default policy not allow? By the whole analysis, as a file of comments goes through it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from serve.pipeline import Analyzer


def not_allowed(texts: Sequence[str], analyzer: Analyzer) -> list[bool]:
    """Return for every text whether the policy of the analyzer sends it to a person, or blocks it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "texts.jsonl")
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
        verdict = analyzer.analyze(path).verdict
    items = {reason.item for reason in verdict.reasons} if verdict else set()
    return [item in items for item in range(len(texts))]
