"""Virtual environments for the clients of others, which want other versions of packages than Reelwarden does."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import ROOT
from tests.image_runs import run


def python_with(*requirements: str) -> Path:
    """Return a Python below out/venvs that has these packages, installed where they are missing."""
    place = ROOT / "out" / "venvs" / "+".join(requirements).replace("==", "-")
    done = place / "installed"
    if not done.exists():
        uv = str(ROOT / ".venv/bin/uv")
        run(uv, "venv", "--clear", "--quiet", "--python", str(ROOT / ".venv/bin/python"), str(place))
        run(uv, "pip", "install", "--quiet", "--python", str(place), *requirements)
        done.touch()
    return place / "bin" / "python"
