"""The sources of checkpoints by name; the library of one is imported when it is named, and not before."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from export.sources.network import Asked, Network, Source
from model_zoo.errors import UsageError

SOURCES: Mapping[str, tuple[str, str]] = {  # name -> module, what to install
    "torch": ("torch_module", "torch torchvision onnxscript"),
    "torchvision": ("torchvision_models", "torch torchvision onnxscript"),
    "ultralytics": ("ultralytics_yolo", "ultralytics onnxscript"),
    "transformers": ("transformers_folder", "torch transformers onnxscript"),
}


def source(name: str) -> Source:
    """Return the source of this name; raises UsageError with what must be installed for it."""
    if name not in SOURCES:
        raise UsageError(f"--from {name}: no such source; there are {', '.join(SOURCES)}")
    module, packages = SOURCES[name]
    try:
        read: Source = importlib.import_module(f"export.sources.{module}").read
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--from {name}: {error.name} is not installed: `pip install {packages}`; see docs/export.md"
        ) from error
    return read


def read(given: str, asked: Asked) -> Network:
    """Read the checkpoint of `SOURCE:WHAT`."""
    return source(given.partition(":")[0])(asked)
