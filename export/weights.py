"""Where the weights of models lie that are exported, as serving has it."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from model_zoo.manifest import ModelSpec
from model_zoo.weights import WeightPlaces, ensure


def places() -> WeightPlaces:
    """Return where weights lie, and where what is exported for serving is kept."""
    cache = os.environ.get("REELWARDEN_CACHE") or platformdirs.user_cache_path("reelwarden")
    return WeightPlaces(Path("/opt/ml/model"), Path(cache), offline=False)


def weights_of(spec: ModelSpec) -> Path:
    """Return the checked file of a model, fetched if it is not there."""
    return ensure(spec, places())


def folder_of(spec: ModelSpec) -> Path | None:
    """Return where the files of a model lie that has several; they are fetched for that."""
    return weights_of(spec).parent if spec.further_files else None
