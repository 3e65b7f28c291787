"""Choose the decoder for a file, and say why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from model_zoo.errors import BackendError
from model_zoo.report import DecodeCause, VideoFacts
from serve.decode.engines import why_not
from serve.decode.nvdec import NoNvdec, Nvdec, find_nvdec
from serve.media import Media
from serve.sampling import Plan

DECODERS = ("cpu", "nvdec")
Backend = Literal["cpu", "nvdec"]

# What `auto` reckons with. Order of magnitude is enough: it only decides which of two ways a file goes.
CPU_PIXELS_PER_SECOND = 109 * 1920 * 1080  # of H.264 that one core decodes, measured on Zen 3
NVDEC_PIXELS_PER_SECOND = 748 * 1920 * 1080  # of H.264 that one engine decodes, as NVIDIA publishes for Ampere
NVDEC_START_SECONDS = 0.3  # to open a session and see its first frame; assumed, until it is measured


@dataclass(frozen=True, slots=True)
class Choice:
    """Which decoder reads a file, and why: in words, and in one of a few that can be counted."""

    backend: Backend
    reason: str
    cause: DecodeCause
    nvdec: Nvdec | None = None  # what it runs on


def check_setting(wanted: str, nvdec: Nvdec | NoNvdec | None = None) -> None:
    """Raise BackendError for a decoder that does not exist, or not on this machine."""
    if wanted not in ("auto", *DECODERS):
        raise BackendError(f"decoder={wanted!r}: choose auto or one of {', '.join(DECODERS)}")
    if wanted == "nvdec":
        found = nvdec or find_nvdec()
        if isinstance(found, NoNvdec):
            raise BackendError(f"decoder=nvdec: {found.reason}; set decoder=auto to decode on the CPU there")


def choose(
    media: Media, plan: Plan, wanted: str, threads: int, nvdec: Nvdec | NoNvdec | None = None
) -> Choice:  # fmt: skip
    """Return the decoder for a file. A file that the GPU cannot decode goes to the CPU, whatever is asked for."""
    video = media.facts.video
    if wanted == "cpu":
        return Choice("cpu", "asked for by the setting", "setting")
    if media.facts.kind == "image":
        return Choice("cpu", "one picture is decoded fastest where it lies", "picture")
    if video is None or plan.strategy == "none":
        return Choice("cpu", "there is nothing to decode", "nothing")
    found = nvdec or find_nvdec()
    if isinstance(found, NoNvdec):
        return Choice("cpu", found.reason, "no engine")
    reason = why_not(video, found.gpu.sm)
    if reason is not None:
        return Choice("cpu", f"{found.gpu.name}: {reason}", "not taken")
    if wanted == "nvdec":
        return Choice("nvdec", f"{found.gpu.name}: asked for by the setting", "setting", found)
    return _cheaper(video, plan, threads, found)


def _cheaper(video: VideoFacts, plan: Plan, threads: int, found: Nvdec) -> Choice:
    frames = int(plan.needed.sum())
    pixels = frames * video.coded_width * video.coded_height
    on_cpu = pixels / (CPU_PIXELS_PER_SECOND * threads)
    on_gpu = NVDEC_START_SECONDS + pixels / NVDEC_PIXELS_PER_SECOND
    reckoned = (
        f"{frames:,} frames to decode: reckoned {on_cpu:.2g} s on {threads} CPU threads, {on_gpu:.2g} s on the GPU"
    )
    if on_cpu <= on_gpu:
        return Choice("cpu", reckoned, "reckoned")
    return Choice("nvdec", f"{found.gpu.name}: {reckoned}", "reckoned", found)
