"""What the driver says that its video engine decodes; its word counts more than the table in engines.py."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

_MACROBLOCK = 16  # pixels a side, in which the engine counts a picture


@cache
def abilities(library: ModuleType, codec: Any, bits: int) -> Mapping[str, int]:
    """Ask PyNvVideoCodec what the first GPU takes of 4:2:0, once for a codec: every question opens a CUDA context."""
    chroma = library.cudaVideoChromaFormat.__members__["420"]
    found: Mapping[str, int] = library.GetDecoderCaps(gpuid=0, codec=codec, chromaformat=chroma, bitdepth=bits)
    return found


def why_driver_refuses(library: ModuleType, codec: Any, name: str, bits: int, size: tuple[int, int]) -> str | None:
    """Say why the driver's engine does not take pictures of this width and height; None where it does."""
    caps = abilities(library, codec, bits)
    if not caps["supported"]:
        return f"the driver's video engine does not decode {name} with {bits} bits"
    width, height = size
    said = f"of {name}, not {width}x{height}"
    if width > caps["width_max"] or height > caps["height_max"]:
        return f"the driver's video engine takes {caps['width_max']}x{caps['height_max']} at most {said}"
    if width < caps["width_min"] or height < caps["height_min"]:
        return f"the driver's video engine takes {caps['width_min']}x{caps['height_min']} at least {said}"
    blocks = -(-width // _MACROBLOCK) * -(-height // _MACROBLOCK)
    if blocks > caps["mb_num_max"]:
        return f"the driver's video engine takes {caps['mb_num_max']} blocks of 16x16 pixels at most {said}"
    return None
