"""Print where this Python's packages keep NVIDIA's libraries, for LD_LIBRARY_PATH: `python -m tools.cuda_folders`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def folders() -> list[Path]:
    """Return the folders of libraries in the package `nvidia`, which many packages share; none where there is none."""
    found = importlib.util.find_spec("nvidia")
    places = found.submodule_search_locations if found else None
    return [folder for place in places or () for folder in sorted(Path(place).glob("*/lib"))]


if __name__ == "__main__":
    sys.stdout.write(":".join(map(str, folders())) + "\n")
