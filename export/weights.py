"""The weights of models that are exported: from the folders of serving, and through the same licence gate."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from model_zoo.licences import check_licence
from model_zoo.manifest import ModelSpec
from model_zoo.weights import WeightPlaces, ensure


def places() -> WeightPlaces:
    """Return where weights lie, and where what is exported for serving is kept."""
    cache = os.environ.get("REELWARDEN_CACHE") or platformdirs.user_cache_path("reelwarden")
    model_folder = Path(os.environ.get("REELWARDEN_MODEL_DIR", "/opt/ml/model"))
    offline = os.environ.get("REELWARDEN_OFFLINE", "").lower() in {"1", "true", "yes", "on"}
    return WeightPlaces(model_folder, Path(cache), offline)


def weights_of(spec: ModelSpec) -> Path:
    """Return the checked file of a model, fetched if it is not there; raises LicenceError as serving does."""
    check_licence(spec, os.environ.get("REELWARDEN_LICENCES", "permissive"))
    return ensure(spec, places())


def folder_of(spec: ModelSpec) -> Path | None:
    """Return where the files of a model lie that has several; they are fetched for that."""
    return weights_of(spec).parent if spec.further_files else None
