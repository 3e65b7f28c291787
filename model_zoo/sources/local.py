"""`repo:` and `file:` sources: files that lie here already and are used where they lie."""

from __future__ import annotations

from pathlib import Path

from model_zoo.sources.scheme import Source

PACKAGE = Path(__file__).resolve().parent.parent  # the model_zoo folder


def path_of(source: Source, manifest: Path) -> Path:
    """Return the path of a `repo:` or `file:` source; a relative `file:` path starts at the manifest's folder."""
    folder = PACKAGE if source.scheme == "repo" else manifest.resolve().parent
    return folder / source.where.removeprefix("//")
