"""Choose the decoder for a file, and say why."""

from __future__ import annotations

from model_zoo.errors import BackendError
from serve.devices import has_nvidia_driver
from serve.media import Media

DECODERS = ("cpu",)


def choose(media: Media, wanted: str) -> tuple[str, str]:
    """Return the decoder's name and the reason. Raises BackendError for a decoder that does not exist."""
    if wanted in DECODERS:
        return wanted, "asked for by the setting"
    if wanted != "auto":
        raise BackendError(f"decoder={wanted!r}: choose auto or one of {', '.join(DECODERS)}")
    if media.facts.kind == "image":
        return "cpu", "one picture is decoded fastest where it lies"
    if has_nvidia_driver():
        return "cpu", "there is an NVIDIA driver, but no decoder for it in this release"
    return "cpu", "no NVIDIA driver was found"
