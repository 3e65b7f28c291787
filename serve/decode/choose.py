"""Choose the decoder for a file, and say why."""

from __future__ import annotations

from pathlib import Path

from model_zoo.errors import BackendError
from serve.media import Media

DECODERS = ("cpu",)
_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


def choose(media: Media, wanted: str) -> tuple[str, str]:
    """Return the decoder's name and the reason. Raises BackendError for a decoder that does not exist."""
    if wanted in DECODERS:
        return wanted, "asked for by the setting"
    if wanted != "auto":
        raise BackendError(f"decoder={wanted!r}: choose auto or one of {', '.join(DECODERS)}")
    if media.facts.kind == "image":
        return "cpu", "one picture is decoded fastest where it lies"
    if _NVIDIA_DRIVER.exists():
        return "cpu", "the only decoder that there is; the NVIDIA driver is used for models alone"
    return "cpu", "no NVIDIA driver was found"
