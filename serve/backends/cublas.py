"""Load cuBLAS for CTranslate2, which opens it by name and finds nothing in the folders of Python packages."""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path

from model_zoo.errors import BackendError

LIBRARIES = ("libcublasLt.so.12", "libcublas.so.12")  # the second needs the first
_PACKAGE = "nvidia.cublas"


def load_cublas() -> None:
    """Load both libraries from NVIDIA's package, or from where the system finds them where that is not installed.

    What is loaded is found again by its name. Raises BackendError where they are not here.
    """
    folder = _folder()
    for name in LIBRARIES:
        try:
            ctypes.CDLL(str(folder / name) if folder else name, mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise BackendError(
                f"speech on a GPU needs {name}, which cannot be loaded ({error}): use the GPU image, or "
                "`pip install nvidia-cublas-cu12==12.6.4.1`"
            ) from error


def _folder() -> Path | None:
    """Return the folder of the package's libraries; None where it is not installed."""
    try:
        found = importlib.util.find_spec(_PACKAGE)
    except ModuleNotFoundError:  # no package of NVIDIA at all
        return None
    places = found.submodule_search_locations if found else None
    folders = [Path(place) / "lib" for place in places or ()]
    return next((folder for folder in folders if (folder / LIBRARIES[-1]).exists()), None)
