"""What the first bytes of a packet's first slice tell: may it be dropped, and can decoding start there?

Containers seldom say which frames no other refers to, yet dropping them is exact for all others and saves half of the
decoding; and some call frames key frames that only begin a gradual refresh.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_START_CODE = b"\x00\x00\x01"
_MPEG_PICTURE = b"\x00\x00\x01\x00"
_MPEG_B_PICTURE = 3
_H264_IDR = 5
_HEAD_BYTES = 4096  # parameter sets and messages before the first slice fit in; else nothing is said of the packet

Test = Callable[[memoryview], bool]


@dataclass(frozen=True, slots=True)
class SliceTests:
    """Two questions about a packet's bytes."""

    is_disposable: Test  # no other frame refers to it
    can_start: Test  # of a packet that is called a key frame: it holds a whole picture


def slice_tests(codec: str, extradata: bytes) -> SliceTests:
    """Return the tests for a codec.

    Knows H.264 (ITU-T H.264 7.3.3, 7.4.1: nal_ref_idc, slice_type), H.265 (ITU-T H.265 table 7-1: sub-layer
    non-reference pictures of the highest temporal layer) and MPEG-1/2 (B pictures). Of any other codec nothing is
    disposable and every key frame is one.
    """
    if codec == "h264":
        length_size = (extradata[4] & 3) + 1 if len(extradata) > 6 and extradata[0] == 1 else 0
        return SliceTests(
            is_disposable=lambda packet: _is_h264_disposable(_first_slice(packet, length_size, _is_h264_slice)),
            can_start=lambda packet: _is_h264_intra(_first_slice(packet, length_size, _is_h264_slice)),
        )
    if codec == "hevc" and len(extradata) > 22 and extradata[0] == 1:
        length_size = (extradata[21] & 3) + 1
        layers = extradata[21] >> 3 & 7  # numTemporalLayers; 0 is unknown
        return SliceTests(
            is_disposable=lambda packet: _is_hevc_disposable(_first_slice(packet, length_size, _is_hevc_slice), layers),
            can_start=_yes,
        )
    if codec in ("mpeg1video", "mpeg2video"):
        return SliceTests(is_disposable=_is_mpeg_b_picture, can_start=_yes)
    return SliceTests(is_disposable=_no, can_start=_yes)


def _yes(packet: memoryview) -> bool:
    return True


def _no(packet: memoryview) -> bool:
    return False


def _first_slice(packet: memoryview, length_size: int, is_slice: Callable[[int], bool]) -> bytes:
    """Return the first bytes of the first slice (units have length prefixes, or start codes when that is 0)."""
    head = bytes(packet[:_HEAD_BYTES])
    position = 0
    while True:
        if length_size:
            start = position + length_size
            following = start + int.from_bytes(head[position:start], "big")
        else:
            start = following = head.find(_START_CODE, position) + len(_START_CODE)
            if start < len(_START_CODE):
                return b""
        if start + 2 > len(head):
            return b""
        if is_slice(head[start]):
            return head[start : start + 2]
        position = following


def _is_h264_slice(first: int) -> bool:
    return 1 <= first & 0x1F <= _H264_IDR


def _is_h264_disposable(unit: bytes) -> bool:
    return unit != b"" and unit[0] >> 5 & 3 == 0


def _is_h264_intra(unit: bytes) -> bool:
    """Say whether a slice is I: after the bit for first_mb_in_slice 0, slice_type is 2 (011) or 7 (0001000)."""
    return unit == b"" or unit[0] & 0x1F == _H264_IDR or unit[1] >> 4 == 0b1011 or unit[1] == 0b10001000


def _is_hevc_slice(first: int) -> bool:
    return first >> 1 & 0x3F < 32


def _is_hevc_disposable(unit: bytes, layers: int) -> bool:
    if unit == b"":
        return False
    unit_type, layer = unit[0] >> 1 & 0x3F, unit[1] & 7
    return unit_type < 16 and unit_type % 2 == 0 and layer == layers


def _is_mpeg_b_picture(packet: memoryview) -> bool:
    head = bytes(packet[:_HEAD_BYTES])
    start = head.find(_MPEG_PICTURE)
    return 0 <= start < len(head) - 5 and head[start + 5] >> 3 & 7 == _MPEG_B_PICTURE
