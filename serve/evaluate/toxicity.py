"""Area under the curve and F1 of toxic language: toxicity/*.jsonl, one text a line with the keys that it is."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model_zoo import toxicity
from model_zoo.errors import UsageError
from model_zoo.metrics.scores import counts_at, roc_auc
from model_zoo.toxicity.passages import FLAGGED
from model_zoo.toxicity.rating import Rating, rate
from model_zoo.toxicity.schema import OVERALL, Key
from serve.evaluate.task import Figure, Task, counted, settings_of, text_of
from serve.models import load_models
from serve.settings import Settings

DOMAIN = toxicity.DOMAIN.name


class Row(BaseModel):
    """A labelled text: the keys that it is, and whether it is toxic at all, by default when it is any."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1)
    keys: frozenset[Key]
    toxic: bool | None = None


def measure(folder: Path, settings: Settings) -> list[Figure]:
    """Return AUC and F1 of the overall score and of every key that some of the texts are, and not all."""
    rows = [row for path in sorted(folder.glob("*.jsonl")) for row in read_rows(path)]
    if not rows:
        raise UsageError(f"{folder}: no texts in *.jsonl; see docs/evaluate.md")
    ratings = _ratings([row.text for row in rows], settings_of(DOMAIN, settings))
    keys = sorted({key for row in rows for key in row.keys})
    truths = {OVERALL: [bool(row.keys) if row.toxic is None else row.toxic for row in rows]}
    truths |= {key: [key in row.keys for row in rows] for key in keys}
    return [figure for key, truth in truths.items() for figure in _figures(key, truth, ratings)]


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a file; raises UsageError with the line."""
    rows = []
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        if line.strip():
            try:
                rows.append(Row.model_validate_json(line))
            except ValidationError as error:
                first = error.errors(include_input=False)[0]
                place = ".".join(map(str, first["loc"])) or "the line"
                raise UsageError(f"{path}:{number}: {place}: {first['msg']}") from error
    return rows


def _ratings(texts: Sequence[str], settings: Settings) -> list[Rating]:
    with ThreadPoolExecutor(settings.threads, thread_name_prefix="infer") as executor:
        models = load_models([toxicity.DOMAIN], settings, executor)[DOMAIN]
        return rate(texts, {role: ready.loaded() for role, ready in models.items()})


def _figures(key: str, truth: Sequence[bool], ratings: Sequence[Rating]) -> list[Figure]:
    """Return the figures of one key; none where no model covers it."""
    scores = [rating.toxicity if key == OVERALL else rating.scores.get(key) for rating in ratings]
    known = [score for score in scores if score is not None]
    if len(known) < len(scores):
        return []
    data = f"{counted(len(truth), 'text')}, {sum(truth)} are it"
    area = roc_auc(known, truth)
    found = [] if area is None else [Figure(DOMAIN, f"{key}: AUC", area, data)]
    return [*found, Figure(DOMAIN, f"{key}: F1 at {FLAGGED:g}", counts_at(known, truth, FLAGGED).f1, data)]


TASK = Task("toxicity", DOMAIN, measure)
