"""What the video engines (NVDEC) of each generation of GPUs decode: a table, and the question whether a video fits it.

The table holds only what is used: progressive 4:2:0, which is what the painting kernel reads. It was put together from
NVIDIA's published support matrix; what the driver itself says of a codec is asked, too, before a decoder is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model_zoo.report import VideoFacts
from serve.devices import Gpu


@dataclass(frozen=True, slots=True)
class Ability:
    """What an engine takes of one codec."""

    bits: tuple[int, ...]  # of a sample
    least: tuple[int, int]  # width, height
    most: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Engines:
    """The video engines of one generation."""

    generation: str
    codecs: Mapping[str, Ability]


_H264 = Ability((8,), (48, 16), (4096, 4096))
_HEVC = Ability((8, 10, 12), (144, 144), (8192, 8192))
_VP8 = Ability((8,), (48, 16), (4096, 4096))
_VP9 = Ability((8, 10, 12), (128, 128), (8192, 8192))
_AV1 = Ability((8, 10), (128, 128), (8192, 8192))
_MPEG2 = Ability((8,), (48, 16), (4080, 4080))
_BLACKWELL_H264 = Ability((8, 10), (48, 16), (8192, 8192))
_COMMON = {"h264": _H264, "hevc": _HEVC, "vp8": _VP8, "vp9": _VP9, "mpeg1video": _MPEG2, "mpeg2video": _MPEG2}

ENGINES: Mapping[int, Engines] = {  # by compute capability
    75: Engines("Turing", _COMMON),
    80: Engines("Ampere (A100)", _COMMON),
    86: Engines("Ampere", {**_COMMON, "av1": _AV1}),
    89: Engines("Ada Lovelace", {**_COMMON, "av1": _AV1}),
    90: Engines("Hopper", _COMMON),
    **dict.fromkeys((100, 103, 120, 121), Engines("Blackwell", {**_COMMON, "h264": _BLACKWELL_H264, "av1": _AV1})),
}
# Engines of a GPU, by a word of its name; one where it is not here. Used only where the driver does not count them. L40
# and L40S as on their data sheet, the others as in NVIDIA's Video Encode and Decode GPU Support Matrix.
COUNTS: Mapping[str, int] = {
    "T4": 2,
    "A10": 2,
    "A10G": 2,
    "L4": 4,
    "L40": 3,
    "L40S": 3,
    "A100": 5,
    "A30": 4,
    "H100": 7,
    "H200": 7,
}
NAMES = {"h264": "H.264", "hevc": "HEVC", "vp8": "VP8", "vp9": "VP9", "av1": "AV1"}
_BITS_420 = {
    **dict.fromkeys(("yuv420p", "yuvj420p", "nv12"), 8),
    **dict.fromkeys(("yuv420p10le", "p010le"), 10),
    **dict.fromkeys(("yuv420p12le", "p012le"), 12),
}


def sample_bits(video: VideoFacts) -> int | None:
    """Return the bits of a sample of a 4:2:0 video, None for any other layout."""
    return _BITS_420.get(video.pixel_format or "")


def engine_count(gpu: Gpu) -> int:
    """Return how many video engines a GPU has, as far as its name tells."""
    return max((COUNTS.get(word, 1) for word in gpu.name.replace("-", " ").split()), default=1)


def why_not(video: VideoFacts, sm: int) -> str | None:
    """Say why the engines of a GPU cannot decode a video; None where they can."""
    engines, name = ENGINES.get(sm), NAMES.get(video.codec, video.codec)
    if engines is None:
        return f"nothing is known of the video engine of a GPU with compute capability {sm // 10}.{sm % 10}"
    ability, bits = engines.codecs.get(video.codec), sample_bits(video)
    if ability is None:
        return f"the video engine of {engines.generation} GPUs is not used for {name}"
    if bits is None:
        return f"{name} as {video.pixel_format} is not the 4:2:0 that is read from video engines"
    if bits not in ability.bits:
        return f"the video engine of {engines.generation} GPUs does not decode {name} with {bits} bits"
    if video.interlaced:
        return "interlaced video keeps all its lines on the CPU only"
    return _why_not_the_size(video, ability, engines.generation)


def _why_not_the_size(video: VideoFacts, ability: Ability, generation: str) -> str | None:
    size = (video.coded_width, video.coded_height)
    named = "{}x{}".format
    if size[0] > ability.most[0] or size[1] > ability.most[1]:
        return f"the video engine of {generation} GPUs takes {named(*ability.most)} at most, not {named(*size)}"
    if size[0] < ability.least[0] or size[1] < ability.least[1]:
        return f"the video engine of {generation} GPUs takes {named(*ability.least)} at least, not {named(*size)}"
    return None
