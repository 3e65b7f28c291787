"""Recognise picture files by their bytes, and refuse those of which only a part would be looked at."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from model_zoo.errors import CorruptMediaError, UnsupportedMediaError

HEAD_BYTES = 64
MOST_PNG_CHUNKS = 10_000  # before the picture
MOST_JPEG_SEGMENTS = 1_000

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_TIFF_ORDER = {b"II*\0": "<", b"MM\0*": ">"}
_ORIENTATION_TAG, _SHORT = 0x112, 3
_WEBP_MOVES = 0x02


def read_head(file: BinaryIO) -> bytes:
    """Return the first bytes of a file."""
    file.seek(0)
    return file.read(HEAD_BYTES)


def picture_demuxer(name: str, file: BinaryIO) -> str | None:
    """Return the demuxer of a picture file, "apng" where the picture moves; None for everything else.

    Raises UnsupportedMediaError for a file of several pictures that cannot all be decoded.
    """
    head = read_head(file)
    if head.startswith(_PNG):
        return "apng" if _is_moving_png(name, file) else "png_pipe"
    if head.startswith(_JPEG):
        return "jpeg_pipe"
    if head.startswith(b"BM"):
        return "bmp_pipe"
    if head[:4] in _TIFF_ORDER:
        _check_one_page(name, file, _TIFF_ORDER[head[:4]])
        return "tiff_pipe"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        if head[12:16] == b"VP8X" and len(head) > 20 and head[20] & _WEBP_MOVES:
            raise UnsupportedMediaError(f"{name}: animated WebP cannot be decoded here; convert it to GIF or MP4")
        return "webp_pipe"
    return None


def header_size(head: bytes) -> tuple[int, int]:
    """Return width and height that a PNG, GIF or BMP header claims, (0, 0) for anything else."""
    if head.startswith(_PNG) and len(head) >= 24:
        width, height = struct.unpack(">II", head[16:24])
    elif head[:3] == b"GIF" and len(head) >= 10:
        width, height = struct.unpack("<HH", head[6:10])
    elif head.startswith(b"BM") and len(head) >= 26:
        width, height = struct.unpack("<ii", head[18:26])
    else:
        width = height = 0
    return abs(width), abs(height)


def jpeg_orientation(file: BinaryIO) -> int | None:
    """Return the Exif orientation (1 to 8) of a JPEG file; None where it says nothing usable."""
    if not read_head(file).startswith(_JPEG):
        return None
    file.seek(2)
    for _ in range(MOST_JPEG_SEGMENTS):
        header = file.read(4)
        if len(header) < 4 or header[0] != 0xFF or header[1] == 0xDA:  # the picture itself begins
            return None
        length = int.from_bytes(header[2:], "big")
        if length < 2:
            return None
        if header[1] == 0xE1:
            segment = file.read(length - 2)
            if segment.startswith(b"Exif\0\0"):
                return _orientation(segment[6:])
        else:
            file.seek(length - 2, os.SEEK_CUR)
    return None


def _orientation(tiff: bytes) -> int | None:
    """Return the orientation in the first directory of a TIFF structure (TIFF 6.0, section 2)."""
    order = _TIFF_ORDER.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return None
    (at,) = struct.unpack(order + "I", tiff[4:8])
    (count,) = struct.unpack(order + "H", tiff[at : at + 2].ljust(2, b"\0"))
    entries = tiff[at + 2 : at + 2 + 12 * count]
    for tag, kind, _, value, _ in struct.iter_unpack(order + "HHIHH", entries[: len(entries) // 12 * 12]):
        if tag == _ORIENTATION_TAG:
            return value if kind == _SHORT and 1 <= value <= 8 else None
    return None


def _is_moving_png(name: str, file: BinaryIO) -> bool:
    """Say whether a PNG is animated: whether it has an acTL chunk before its picture."""
    file.seek(len(_PNG))
    seen: set[bytes] = set()
    for _ in range(MOST_PNG_CHUNKS):
        header = file.read(8)
        if len(header) < 8:
            return False
        length, kind = struct.unpack(">I4s", header)
        if kind == b"IDAT":
            if b"acTL" in seen and b"fcTL" not in seen:
                raise UnsupportedMediaError(
                    f"{name}: an animated PNG with one more picture that is not part of it; convert it to GIF or MP4"
                )
            return b"acTL" in seen
        seen.add(kind)
        file.seek(length + 4, os.SEEK_CUR)  # and its checksum
    raise CorruptMediaError(f"{name}: over {MOST_PNG_CHUNKS:,} chunks before the picture of a PNG; save it again")


def _check_one_page(name: str, file: BinaryIO, order: str) -> None:
    file.seek(4)
    file.seek(int.from_bytes(file.read(4), "little" if order == "<" else "big"))
    count = file.read(2).ljust(2, b"\0")
    file.seek(12 * struct.unpack(order + "H", count)[0], os.SEEK_CUR)
    if any(file.read(4)):
        raise UnsupportedMediaError(
            f"{name}: a TIFF of several pages, of which only the first could be decoded; save every page as a file"
        )
