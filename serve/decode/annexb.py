"""Give packets the form that hardware decoders read: start codes of H.264 and HEVC, and headers in front."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.video.stream import VideoStream

_START = b"\x00\x00\x00\x01"
_FILTERS = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}
_MPEG = ("mpeg1video", "mpeg2video")
_MPEG_SEQUENCE = b"\x00\x00\x01\xb3"


def with_start_codes(
    packets: Iterable[Packet[VideoStream]], stream: VideoStream
) -> Iterator[tuple[bytes | Packet[VideoStream], int | None]]:
    """Yield the bytes and the time of each packet of a run.

    The stream's headers come before the first packet: a run may begin anywhere, and only some key frames carry them.
    """
    codec = stream.codec_context.codec.canonical_name
    header = bytes(stream.codec_context.extradata or b"")
    if codec not in _FILTERS:
        ahead = header if codec in _MPEG else b""
        for packet in packets:
            bare = ahead and not bytes(packet).startswith(_MPEG_SEQUENCE)
            yield (ahead + bytes(packet) if bare else packet), packet.pts
            ahead = b""
        return
    ahead = parameter_sets(codec, header)
    change = BitStreamFilterContext(_FILTERS[codec], stream)
    for packet in packets:
        for changed in change.filter(packet):
            yield (ahead + bytes(changed) if ahead else changed), changed.pts
            ahead = b""


def parameter_sets(codec: str, extradata: bytes) -> bytes:
    """Return the parameter sets of a stream with start codes (ISO/IEC 14496-15 5.3.3, 8.3.3).

    Empty where the header holds none, as in a transport stream, whose packets carry them.
    """
    if extradata[:3] == _START[1:] or extradata[:4] == _START:
        return extradata
    if len(extradata) < 7 or extradata[0] != 1:
        return b""
    return _units(extradata, codec)


def _units(extradata: bytes, codec: str) -> bytes:
    found = b""
    if codec == "h264":
        position, kinds = 5, 2  # sequence and picture parameter sets; the counts are masked: 3 and 8 bits
        masks = (0x1F, 0xFF)
        for kind in range(kinds):
            count = extradata[position] & masks[kind] if position < len(extradata) else 0
            position, units = _read_units(extradata, position + 1, count)
            found += units
        return found
    position = 23
    for _ in range(extradata[22] if len(extradata) > 22 else 0):
        count = int.from_bytes(extradata[position + 1 : position + 3], "big")
        position, units = _read_units(extradata, position + 3, count)
        found += units
    return found


def _read_units(extradata: bytes, position: int, count: int) -> tuple[int, bytes]:
    """Return the place after `count` units, each behind its length in 2 bytes, and the units with start codes."""
    found = b""
    for _ in range(count):
        size = int.from_bytes(extradata[position : position + 2], "big")
        found += _START + extradata[position + 2 : position + 2 + size]
        position += 2 + size
    return position, found
