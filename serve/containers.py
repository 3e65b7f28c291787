"""Which containers are read, how a file is recognised, and how it is opened safely."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer

from model_zoo.errors import CorruptMediaError, MediaError, UnsupportedMediaError
from serve.limits import Limits, check_picture
from serve.pictures import header_size, picture_demuxer, read_head
from serve.shown import shown

# Containers by the names that FFmpeg has for them, and the suffixes by which a folder is searched for them. Playlists,
# concatenation scripts and image sequences are left out on purpose: they name other files and addresses.
CONTAINER_SUFFIXES = {
    "aac": (".aac",),
    "ac3": (".ac3",),
    "aiff": (".aif", ".aiff"),
    "amr": (".amr",),
    "apng": (".apng", ".png"),
    "asf": (".asf", ".wma", ".wmv"),
    "avi": (".avi",),
    "bmp_pipe": (".bmp",),
    "caf": (".caf",),
    "dv": (".dv",),
    "flac": (".flac",),
    "flv": (".flv",),
    "gif": (".gif",),
    "h264": (".264", ".h264"),
    "hevc": (".265", ".h265", ".hevc"),
    "ivf": (".ivf",),
    "jpeg_pipe": (".jpeg", ".jpg"),
    "m4v": (".m4v",),
    "matroska": (".mka", ".mkv"),
    "mov": (".mov",),
    "mp3": (".mp3",),
    "mp4": (".3g2", ".3gp", ".avif", ".heic", ".heif", ".m4a", ".m4v", ".mp4"),
    "mpeg": (".mpeg", ".mpg", ".vob"),
    "mpegts": (".m2ts", ".mts", ".ts"),
    "mpegvideo": (".m2v",),
    "mxf": (".mxf",),
    "nut": (".nut",),
    "ogg": (".oga", ".ogg", ".ogv", ".opus"),
    "png_pipe": (".png",),
    "tiff_pipe": (".tif", ".tiff"),
    "w64": (".w64",),
    "wav": (".wav",),
    "webm": (".webm",),
    "webp_pipe": (".webp",),
    "yuv4mpegpipe": (".y4m",),
}
MEDIA_SUFFIXES = frozenset(suffix for suffixes in CONTAINER_SUFFIXES.values() for suffix in suffixes)

_STILL_BRANDS = (b"avif", b"avis", b"heic", b"heim", b"heis", b"heix", b"mif1")


@contextmanager
def named_os_errors(path: Path) -> Iterator[None]:
    """Turn an error of the operating system into a MediaError that names the file and says what the system said."""
    try:
        yield
    except OSError as error:
        place = error.filename if isinstance(error.filename, str) else path  # it may lie below the path
        raise MediaError(
            f"{shown(str(place))}: cannot be read ({error.strerror or error}); check its name and its permissions"
        ) from error


def is_still_picture(path: Path, limits: Limits) -> bool:
    """Say whether a file holds one picture and nothing else.

    MP4 and HEIF are one format: the brand in the header is a claim, so the packets are counted.
    """
    with named_os_errors(path), path.open("rb") as file:
        demuxer, head = picture_demuxer(shown(path.name), file), read_head(file)
    if demuxer is not None:
        return demuxer != "apng"
    if head[4:8] != b"ftyp" or head[8:12] not in _STILL_BRANDS:
        return False
    with open_container(path, limits) as container:
        return not container.streams.audio and _has_one_packet_a_stream(container)


def _has_one_packet_a_stream(container: InputContainer) -> bool:
    seen: set[int] = set()
    try:
        for packet in container.demux():
            if packet.size and packet.stream_index in seen:
                return False
            if packet.size:
                seen.add(packet.stream_index)
    except av.error.FFmpegError:
        return False  # what follows the damage is unknown
    return True


def open_container(path: Path, limits: Limits) -> InputContainer:
    """Open a media file for demuxing; only containers that hold their own bytes are accepted.

    Raises CorruptMediaError or UnsupportedMediaError for what cannot be read, MediaLimitError for a picture whose
    header is over the limits, MediaError where the operating system refuses.
    """
    with named_os_errors(path), path.open("rb") as file:
        head, demuxer = read_head(file), picture_demuxer(shown(path.name), file)
    check_picture(path.name, *header_size(head), limits)
    options = {
        "format_whitelist": ",".join(CONTAINER_SUFFIXES),
        "protocol_whitelist": "file",
        "fflags": "+genpts",
        "max_pixels": str(limits.max_pixels),
    }
    try:
        return av.open(str(path.resolve()), mode="r", format=demuxer, container_options=options)
    except (av.error.FFmpegError, ValueError) as error:
        known = demuxer is not None or head[4:8] == b"ftyp" or path.suffix.lower() in MEDIA_SUFFIXES
        raise _opening_error(path, error, known=known) from error


def _opening_error(path: Path, error: Exception, *, known: bool) -> MediaError:
    name = shown(path.name)
    if known and not isinstance(error, av.error.ArgumentError):
        return CorruptMediaError(
            f"{name}: the header is missing, damaged or cut off; upload the file again or repair it"
        )
    return UnsupportedMediaError(
        f"{name}: not a known media container; convert it to MP4, e.g. `ffmpeg -i {shlex.quote(name)} out.mp4`"
    )
