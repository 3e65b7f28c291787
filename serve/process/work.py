"""One id for all that an answer depends on beside the media: version, settings, models and the files they name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from model_zoo.domains import DOMAINS, by_name
from model_zoo.manifest import ModelSpec
from serve.models import choose_models
from serve.settings import Settings
from serve.version import VERSION

# Settings that change how an answer is come by, not what it is. Any other, also a new one, makes the work another.
NOT_IN_THE_ANSWER = frozenset(
    {"cache", "licences", "manifests", "model_dir", "models", "offline", "shipped_weights"}  # models: by sha256
    | {"threads", "gpu_memory_share"}
    | {"max_bytes", "max_pixels", "max_side", "max_duration_seconds", "max_text_bytes", "max_texts"}  # allow or forbid
    | {"host", "port", "max_body_bytes", "deadline_seconds", "drain_seconds"}  # of the server alone
    | {"pictures_at_once", "pictures_waiting", "videos_at_once", "videos_waiting"}
)
PREFIXES_NOT_IN_THE_ANSWER = ("fetch_",)


def work_id(settings: Settings, suffixes: Sequence[str]) -> str:
    """Return the id, for answers that end in the suffixes.

    Raises UsageError, ManifestError or LicenceError where the models cannot be chosen.
    """
    domains = tuple(by_name(name) for name in settings.domains) or DOMAINS
    models = choose_models(domains, settings)
    work = {
        "version": VERSION,
        "answers": list(suffixes),
        "domains": [domain.name for domain in domains],
        "models": {f"{domain}.{role}": _of_model(spec) for (domain, role), spec in sorted(models.items())},
        "settings": {name: _of_value(value) for name, value in sorted(settings) if _counts(name)},
    }
    return f"sha256:{hashlib.sha256(json.dumps(work, sort_keys=True, default=str).encode()).hexdigest()}"


def _counts(name: str) -> bool:
    return name not in NOT_IN_THE_ANSWER and not name.startswith(PREFIXES_NOT_IN_THE_ANSWER)


def _of_model(spec: ModelSpec) -> str:
    return spec.model_dump_json(exclude={"manifest", "sources"})  # where it lies on this machine


def _of_value(value: Any) -> Any:
    """Return a value as JSON can hold it; a file or folder counts with what is in it."""
    named = isinstance(value, Path) or (isinstance(value, str) and bool({".", "/"} & set(value)))
    path = Path(value) if named else None
    if path is None or not path.exists():
        return value
    files = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
    return [str(value), _contents(files)]


def _contents(files: Iterable[Path]) -> list[list[str]]:
    return [[path.as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()] for path in files]
