"""Find out from the boxes of an MP4 or QuickTime file (ISO/IEC 14496-12) whether a track is shown mirrored."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

MOST_BOXES = 10_000  # that are looked at on one level

_Box = tuple[bytes, int, int]  # kind, and where its content begins and ends


def is_mirrored_track(file: BinaryIO, track_id: int) -> bool:
    """Say whether the matrix of a track turns the picture over; False for other containers and damaged boxes."""
    end = file.seek(0, os.SEEK_END)
    file.seek(4)
    if file.read(4) not in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return False
    for movie in _inside(file, 0, end, b"moov"):
        for track in _inside(file, *movie[1:], b"trak"):
            for header in _inside(file, *track[1:], b"tkhd"):
                if _track_id(file, header) == track_id:
                    return _turns_over(file, header)
    return False


def _inside(file: BinaryIO, start: int, end: int, wanted: bytes) -> Iterator[_Box]:
    """Yield the boxes of one kind between two places in the file."""
    for _ in range(MOST_BOXES):
        if start + 8 > end:
            return
        file.seek(start)
        head = file.read(16)
        size, kind = struct.unpack(">I4s", head[:8])
        content = start + 8
        if size == 1 and len(head) == 16:
            size, content = int.from_bytes(head[8:], "big"), start + 16
        after = end if size == 0 else start + size
        if after < content:
            return
        if kind == wanted:
            yield kind, content, min(after, end)
        start = after


def _track_id(file: BinaryIO, header: _Box) -> int:
    file.seek(header[1] + (20 if _has_long_times(file, header) else 12))
    return int.from_bytes(file.read(4), "big")


def _turns_over(file: BinaryIO, header: _Box) -> bool:
    """Say whether the determinant of the matrix is negative: x' = a x + c y, y' = b x + d y."""
    file.seek(header[1] + (52 if _has_long_times(file, header) else 40))
    a, b, _, c, d = struct.unpack(">5i", file.read(20).ljust(20, b"\0"))
    return int(a) * int(d) < int(b) * int(c)


def _has_long_times(file: BinaryIO, header: _Box) -> bool:
    file.seek(header[1])
    return file.read(1) == b"\1"
