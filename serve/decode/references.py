"""Which packets no other frame refers to, read from the first bytes of their slices.

Containers seldom say so, yet dropping such packets is exact for all other frames and saves half of the decoding.
"""

from __future__ import annotations

from collections.abc import Callable

IsDisposable = Callable[[memoryview], bool]

_START_CODE = b"\x00\x00\x01"
_MPEG_PICTURE = b"\x00\x00\x01\x00"
_MPEG_B_PICTURE = 3
_HEAD_BYTES = 4096  # parameter sets and messages before the first slice fit in; else the packet counts as referred to


def disposable_reader(codec: str, extradata: bytes) -> IsDisposable:
    """Return the function that tells from a packet's bytes that no other frame refers to it.

    Knows H.264 (ITU-T H.264 7.4.1: nal_ref_idc), H.265 (ITU-T H.265 table 7-1: sub-layer non-reference pictures of
    the highest temporal layer) and MPEG-1/2 (B pictures). For any other codec nothing is called disposable.
    """
    if codec == "h264":
        length_size = (extradata[4] & 3) + 1 if len(extradata) > 6 and extradata[0] == 1 else 0
        return lambda packet: _first_slice(packet, length_size, _is_h264_slice, _is_h264_disposable)
    if codec == "hevc" and len(extradata) > 22 and extradata[0] == 1:
        length_size = (extradata[21] & 3) + 1
        top_layer = (extradata[21] >> 3) & 7  # numTemporalLayers; 0 is unknown
        return lambda packet: _first_slice(
            packet, length_size, _is_hevc_slice, lambda head: _is_hevc_disposable(head, top_layer)
        )
    if codec in ("mpeg1video", "mpeg2video"):
        return _is_mpeg_b_picture
    return lambda packet: False


def _first_slice(
    packet: memoryview, length_size: int, is_slice: Callable[[int], bool], is_disposable: Callable[[bytes], bool]
) -> bool:
    """Find the first slice of a packet (units with length prefixes, or with start codes when that is 0)."""
    head = bytes(packet[:_HEAD_BYTES])
    position = 0
    while True:
        if length_size:
            start = position + length_size
            following = start + int.from_bytes(head[position:start], "big")
        else:
            start = following = head.find(_START_CODE, position) + len(_START_CODE)
            if start < len(_START_CODE):
                return False
        if start + 2 > len(head):
            return False
        if is_slice(head[start]):
            return is_disposable(head[start : start + 2])
        position = following


def _is_h264_slice(first: int) -> bool:
    return 1 <= first & 0x1F <= 5


def _is_h264_disposable(unit: bytes) -> bool:
    return unit[0] >> 5 & 3 == 0


def _is_hevc_slice(first: int) -> bool:
    return first >> 1 & 0x3F < 32


def _is_hevc_disposable(unit: bytes, layers: int) -> bool:
    unit_type, layer = unit[0] >> 1 & 0x3F, unit[1] & 7
    return unit_type < 16 and unit_type % 2 == 0 and layer == layers


def _is_mpeg_b_picture(packet: memoryview) -> bool:
    head = bytes(packet[:_HEAD_BYTES])
    start = head.find(_MPEG_PICTURE)
    return 0 <= start < len(head) - 5 and head[start + 5] >> 3 & 7 == _MPEG_B_PICTURE
