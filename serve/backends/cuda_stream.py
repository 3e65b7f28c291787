"""A CUDA stream for each model: it waits for the batch that it is given, and for nothing else on the GPU."""

from __future__ import annotations

import importlib
from typing import Any


def new_stream() -> Any | None:
    """Return a cupy.cuda.Stream, alive for as long as it is kept; None without CuPy, where only models use the GPU."""
    try:
        cupy = importlib.import_module("cupy")
    except ImportError:
        return None
    return cupy.cuda.Stream(non_blocking=True)


def handle_of(stream: Any | None) -> int | None:
    """Return CUDA's handle of a stream."""
    return None if stream is None else int(stream.ptr)
