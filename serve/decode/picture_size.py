"""Notice where a stream says that its pictures change their size.

A session of the video engine goes on with surfaces of the first size, into which it scales all that comes, unsaid. So
what tells of the size is read from the packets themselves: the whole sequence header where it is small and seldom
changes (H.264, HEVC, AV1), else the size alone. Of AV1, frames that leave the size of their sequence are not noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from av.packet import Packet
from av.video.stream import VideoStream

from model_zoo.errors import BackendError
from serve.decode.annexb import parameter_sets

_START = b"\x00\x00\x01"
_MPEG_SEQUENCE = b"\x00\x00\x01\xb3"
_H264_SLICES, _H264_SEQUENCE = range(1, 6), 7
_HEVC_SLICES, _HEVC_SEQUENCE = range(32), 33
_AV1_SEQUENCE = 1
_AV1_HEADER_BYTES = 4  # of the header in MP4 and Matroska, before its units

Tellers = Callable[[bytes], Iterator[bytes]]  # what in a packet tells of the size


class SizeWatch:
    """What one stream has said of its size so far."""

    def __init__(self, codec: str, header: bytes) -> None:
        """Take the codec and the stream's header, as its container has it; it may be empty."""
        self._tellers: Tellers = _TELLERS.get(codec, _none)
        self._known = set(self._tellers(_units_of(codec, header)))

    def passing(
        self, packets: Iterable[tuple[bytes | Packet[VideoStream], int | None]]
    ) -> Iterator[tuple[bytes, int | None]]:
        """Pass packets on. Raises BackendError at one that tells of another size than those before."""
        for content, ticks in packets:
            data = bytes(content)
            told = set(self._tellers(data))
            if not self._known:
                self._known = told
            if told - self._known:
                raise BackendError("the stream begins anew, and its pictures may have another size")
            yield data, ticks


def _none(data: bytes) -> Iterator[bytes]:
    return iter(())


def _units_of(codec: str, header: bytes) -> bytes:
    if codec in ("h264", "hevc"):
        return parameter_sets(codec, header)
    return header[_AV1_HEADER_BYTES:] if codec == "av1" else header


def _h264(data: bytes) -> Iterator[bytes]:
    """Yield the sequence parameter sets before the first slice (ITU-T H.264 table 7-1)."""
    for unit in _units(data):
        kind = unit[0] & 0x1F if unit else 0
        if kind in _H264_SLICES:
            return
        if kind == _H264_SEQUENCE:
            yield unit.rstrip(b"\0")


def _hevc(data: bytes) -> Iterator[bytes]:
    """Yield the sequence parameter sets before the first slice, of the first layer (ITU-T H.265 7.3.1.2)."""
    for unit in _units(data):
        if len(unit) < 2:
            continue
        kind, layer = unit[0] >> 1 & 0x3F, (unit[0] & 1) << 5 | unit[1] >> 3
        if kind in _HEVC_SLICES:
            return
        if kind == _HEVC_SEQUENCE and layer == 0:
            yield unit.rstrip(b"\0")


def _units(data: bytes) -> Iterator[bytes]:
    """Yield what stands between start codes."""
    start = data.find(_START)
    while start >= 0:
        following = data.find(_START, start + len(_START))
        yield data[start + len(_START) : following if following >= 0 else None]
        start = following


def _av1(data: bytes) -> Iterator[bytes]:
    """Yield the sequence headers (AV1 5.3: type, extension, size)."""
    position = 0
    while position < len(data):
        head = data[position]
        position += 2 if head >> 2 & 1 else 1
        size = len(data) - position
        if head >> 1 & 1:
            size, position = _leb128(data, position)
        if head >> 3 & 0xF == _AV1_SEQUENCE:
            yield data[position : position + size]
        position += size


def _leb128(data: bytes, position: int) -> tuple[int, int]:
    """Return the number at a place, and the place behind it (AV1 4.10.5)."""
    value = 0
    for count, byte in enumerate(data[position : position + 8]):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, position + count + 1
    return len(data), len(data)  # no number: nothing more is read


def _vp8(data: bytes) -> Iterator[bytes]:
    """Yield the size in the header of a key frame (RFC 6386 9.1)."""
    if len(data) >= 10 and data[0] & 1 == 0 and data[3:6] == b"\x9d\x01\x2a":
        yield data[6:10]


def _vp9(data: bytes) -> Iterator[bytes]:
    """Yield the sizes that the frames of a packet say (VP9 annex B: several frames, and an index of their sizes)."""
    last = data[-1] if data else 0
    item, count = (last >> 3 & 3) + 1, (last & 7) + 1
    index = data[-(2 + item * count) :]
    if last >> 5 != 0b110 or index[0] != last:
        yield from _vp9_frame(data)
        return
    position = 0
    for number in range(count):
        size = int.from_bytes(index[1 + item * number : 1 + item * (number + 1)], "little")
        yield from _vp9_frame(data[position : position + size])
        position += size


def _vp9_frame(data: bytes) -> Iterator[bytes]:
    """Yield the size of a frame, unless it has that of an earlier one (VP9 6.2)."""
    bits = _Bits(data[:32])
    if bits.take(2) != 0b10:
        return
    profile = bits.take(1) | bits.take(1) << 1
    bits.take(profile == 3)
    if bits.take(1):  # an earlier frame is shown again
        return
    refers, shown, resilient = bits.take(1), bits.take(1), bits.take(1)
    if not refers:
        bits.take(24)
        _pass_vp9_colours(bits, profile)
        yield bits.take(32).to_bytes(4, "big")
        return
    alone = 0 if shown else bits.take(1)
    bits.take(0 if resilient else 2)
    if alone:
        bits.take(24)
        if profile:
            _pass_vp9_colours(bits, profile)
        bits.take(8)
    else:
        bits.take(8 + 3 * 4)
        if any(bits.take(1) for _ in range(3)):
            return
    yield bits.take(32).to_bytes(4, "big")


def _pass_vp9_colours(bits: _Bits, profile: int) -> None:
    bits.take(profile >= 2)  # 10 or 12 bits
    rgb = bits.take(3) == 7
    bits.take((0 if rgb else 1) + (profile % 2) * (1 if rgb else 3))


class _Bits:
    """A place in some bytes, counted in bits; behind their end all are 0."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        """Return the next bits as a number."""
        self._left -= count
        shifted = self._value >> self._left if self._left >= 0 else self._value << -self._left
        return shifted & (1 << count) - 1


def _mpeg(data: bytes) -> Iterator[bytes]:
    """Yield the size in every sequence header (ITU-T H.262 6.2.2.1: 12 bits a side)."""
    start = data.find(_MPEG_SEQUENCE)
    while start >= 0:
        yield data[start + 4 : start + 7]
        start = data.find(_MPEG_SEQUENCE, start + 4)


_TELLERS: Mapping[str, Tellers] = {
    "h264": _h264,
    "hevc": _hevc,
    "av1": _av1,
    "vp8": _vp8,
    "vp9": _vp9,
    "mpeg1video": _mpeg,
    "mpeg2video": _mpeg,
}
