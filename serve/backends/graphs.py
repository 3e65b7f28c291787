"""CUDA graphs: what a run of a model starts on the GPU, recorded once for each size of batch, started at one stroke.

A graph fixes shapes and addresses. Graphs are captured while a model is loaded, and never later: what other threads do
with the GPU meanwhile can spoil a capture, and a capture can make what they do fail.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

CAPTURING = threading.Lock()  # held by who captures: ONNX Runtime's captures concern the whole process


def batch_sizes(most: int) -> list[int]:
    """Return the sizes that batches are padded to: the powers of 2 below `most`, and `most`."""
    return sorted({min(1 << power, most) for power in range((most - 1).bit_length() + 1)})


def end_capture(stream: Any | None) -> None:
    """End the capture that was broken off on a cupy.cuda.Stream: until then nobody may take memory of the GPU.

    For the thread that began it. Where nothing is captured nothing happens.
    """
    if stream is None:
        return
    import cupy

    with contextlib.suppress(Exception):  # the capture is void, or there was none
        cupy.cuda.runtime.graphDestroy(cupy.cuda.runtime.streamEndCapture(stream.ptr))
