"""Which containers are read, how a file is recognised, and how it is opened safely."""

from __future__ import annotations

import struct
from pathlib import Path

import av
from av.container import InputContainer

from model_zoo.errors import CorruptMediaError, MediaError, UnsupportedMediaError
from serve.limits import Limits, check_picture

VIDEO_SUFFIXES = frozenset(
    (
        *(".3g2", ".3gp", ".asf", ".avi", ".dv", ".flv", ".gif", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4"),
        *(".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
    )
)
AUDIO_SUFFIXES = frozenset(
    (".aac", ".ac3", ".aif", ".aiff", ".amr", ".flac", ".m4a", ".mka", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".wma")
)
IMAGE_SUFFIXES = frozenset((".avif", ".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))
MEDIA_SUFFIXES = VIDEO_SUFFIXES | AUDIO_SUFFIXES | IMAGE_SUFFIXES

# Playlists, concatenation scripts and image sequences are left out on purpose: they name other files and addresses.
_CONTAINERS = (
    "aac,ac3,aiff,amr,asf,avi,caf,dv,flac,flv,gif,h264,hevc,ivf,m4v,matroska,webm,mov,mp4,mp3,mpeg,mpegts,mpegvideo,"
    "mxf,nut,ogg,wav,w64,yuv4mpegpipe,bmp_pipe,jpeg_pipe,png_pipe,tiff_pipe,webp_pipe"
)
_IMAGE_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png_pipe"),
    (b"\xff\xd8\xff", "jpeg_pipe"),
    (b"BM", "bmp_pipe"),
    (b"II*\x00", "tiff_pipe"),
    (b"MM\x00*", "tiff_pipe"),
)
_STILL_BRANDS = (b"avif", b"heic", b"heix", b"mif1")


def image_demuxer(head: bytes) -> str | None:
    """Return the demuxer for a still picture with this beginning; None says that it is not a still picture."""
    for magic, demuxer in _IMAGE_MAGIC:
        if head.startswith(magic):
            return demuxer
    return "webp_pipe" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def is_still_picture(head: bytes) -> bool:
    """Say whether a file with this beginning holds one still picture."""
    return image_demuxer(head) is not None or (head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS)


def header_size(head: bytes) -> tuple[int, int]:
    """Return width and height that a PNG, GIF or BMP header claims, (0, 0) for anything else."""
    if head.startswith(b"\x89PNG") and len(head) >= 24:
        width, height = struct.unpack(">II", head[16:24])
    elif head[:3] == b"GIF" and len(head) >= 10:
        width, height = struct.unpack("<HH", head[6:10])
    elif head.startswith(b"BM") and len(head) >= 26:
        width, height = struct.unpack("<ii", head[18:26])
    else:
        width = height = 0
    return abs(width), abs(height)


def open_container(path: Path, limits: Limits) -> InputContainer:
    """Open a media file for demuxing; only containers that hold their own bytes are accepted.

    Raises CorruptMediaError or UnsupportedMediaError for what cannot be read, MediaLimitError for a picture whose
    header is over the limits.
    """
    with path.open("rb") as file:
        head = file.read(64)
    check_picture(path.name, *header_size(head), limits)
    options = {
        "format_whitelist": _CONTAINERS,
        "protocol_whitelist": "file",
        "fflags": "+genpts",
        "max_pixels": str(limits.max_pixels),
    }
    try:
        return av.open(str(path.resolve()), mode="r", format=image_demuxer(head), container_options=options)
    except (av.error.FFmpegError, ValueError) as error:
        raise _opening_error(path, head, error) from error


def _opening_error(path: Path, head: bytes, error: Exception) -> MediaError:
    known = is_still_picture(head) or head[4:8] == b"ftyp" or path.suffix.lower() in MEDIA_SUFFIXES
    if known and not isinstance(error, av.error.ArgumentError):
        return CorruptMediaError(
            f"{path.name}: the header is missing, damaged or cut off; upload the file again or repair it"
        )
    return UnsupportedMediaError(
        f"{path.name}: not a known media container; convert it to MP4, e.g. `ffmpeg -i {path.name} out.mp4`"
    )
