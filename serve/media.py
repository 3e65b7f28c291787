"""Open media: what the file is, which streams are used, and whether the limits allow it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeVar

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.codec.context import ThreadType
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from model_zoo.errors import CorruptMediaError, MediaNotFoundError, UnsupportedMediaError
from model_zoo.report import AudioFacts, MediaFacts, VideoFacts
from model_zoo.values import GivenText
from serve.boxes import is_mirrored_track
from serve.containers import MEDIA_SUFFIXES, is_still_picture, named_os_errors, open_container
from serve.limits import Limits, check_bytes, check_duration, check_picture
from serve.pictures import jpeg_orientation
from serve.shown import shown
from serve.stamp import Stamp, stamp_of
from serve.texts import is_text, read_texts

__all__ = ["Limits", "Media", "find_media", "open_media"]

AnyStream = TypeVar("AnyStream", bound=Stream)

# Exif orientation: clockwise turn, and whether left and right change places before it
_ORIENTATIONS = {
    1: (0, False),
    2: (0, True),
    3: (180, False),
    4: (180, True),
    5: (270, True),
    6: (90, False),
    7: (90, True),
    8: (270, False),
}
_COVER_ART = Disposition.attached_pic | Disposition.timed_thumbnails


@dataclass(frozen=True, slots=True)
class Media:
    """An opened media file: its facts, and what a decoder needs to know besides."""

    path: Path
    facts: MediaFacts
    limits: Limits
    start_seconds: float  # the container's clock when the presentation begins, which is second 0 everywhere else
    stamp: Stamp | None  # of the file when it was opened; None where it was gone by then
    picture: VideoFrame | None = None  # of an image: it was decoded when it was opened, and once is enough
    texts: tuple[GivenText, ...] = ()  # of a file of text, in its order


def find_media(paths: Iterable[Path]) -> list[Path]:
    """List the media files named by files and folders; folders are walked in sorted order, by suffix.

    Raises MediaNotFoundError for a path that does not exist and for a folder without media, MediaError for what may
    not be read.
    """
    found: list[Path] = []
    for path in paths:
        with named_os_errors(path):
            if path.is_dir():
                found += _media_inside(path)
            elif path.exists():
                found.append(path)
            else:
                raise MediaNotFoundError(f"{shown(str(path))}: no such file or folder; check the spelling")
    return list(dict.fromkeys(found))


def _media_inside(folder: Path) -> list[Path]:
    inside: list[Path] = []
    for place, _, names in os.walk(folder, onerror=_refuse):
        inside += [Path(place, name) for name in names if Path(name).suffix.lower() in MEDIA_SUFFIXES]
    files = sorted(path for path in inside if path.is_file())
    if not files:
        raise MediaNotFoundError(
            f"{shown(str(folder))}: no media in this folder; "
            f"files must end in one of {' '.join(sorted(MEDIA_SUFFIXES))}"
        )
    return files


def _refuse(error: OSError) -> None:
    with named_os_errors(Path(error.filename)):
        raise error


def open_media(path: Path, limits: Limits) -> Media:
    """Read what the file is and decode its first frame; limits are checked on the header, before that.

    Raises MediaNotFoundError, MediaLimitError, UnsupportedMediaError, CorruptMediaError, or MediaError for a file that
    may not be read.
    """
    with named_os_errors(path):
        if not path.is_file():
            raise MediaNotFoundError(f"{shown(str(path))}: no such file; check the spelling")
        size = path.stat().st_size
    if size == 0:
        raise CorruptMediaError(f"{shown(path.name)}: the file has 0 bytes; upload it again")
    check_bytes(path.name, size, limits)
    if is_text(path):
        with named_os_errors(path):
            stamp = stamp_of(path)
            facts, texts = read_texts(path, limits)
        return Media(path=path, facts=facts, limits=limits, start_seconds=0.0, stamp=stamp, texts=texts)
    with open_container(path, limits) as container:
        return _read_facts(path, size, container, limits)


def _read_facts(path: Path, size: int, container: InputContainer, limits: Limits) -> Media:
    stamp = stamp_of(path)
    still = is_still_picture(path, limits)
    duration = None if still else _known(container.duration, Fraction(1, av.time_base))
    check_duration(path.name, duration, limits, "says the header")
    if still and any(stream.disposition & Disposition.dependent for stream in container.streams.video):
        raise UnsupportedMediaError(
            f"{shown(path.name)}: a HEIC or AVIF picture made of tiles cannot be put together here; convert it to JPEG"
        )
    video = _default_video(container)
    audio = _default_audio(container)
    if video is None and audio is None:
        raise UnsupportedMediaError(
            f"{shown(path.name)}: neither a picture nor a sound stream in it; nothing can be analyzed"
        )
    kind: Literal["video", "audio", "image"] = "audio" if video is None else "image" if still else "video"
    words = [_stream_in_words(stream, stream in (video, audio)) for stream in container.streams]
    shown_or_heard = [stream.type in ("video", "audio") for stream in container.streams]
    pairs = zip(container.streams, shown_or_heard, words, strict=True)
    unseen = [said for stream, counts, said in pairs if counts and stream not in (video, audio)]
    start_seconds = 0.0 if still or container.start_time is None else container.start_time / av.time_base
    audio_facts = None if audio is None else _audio_facts(audio)
    container_name = container.format.name
    video_facts, frame = (None, None) if video is None else _video_facts(path, container, video, limits, still=still)
    facts = MediaFacts(
        name=os.fsencode(path.name).decode("utf-8", "replace"),
        kind=kind,
        sha256=_sha256(path),
        size_bytes=size,
        container=container_name,
        duration_seconds=duration,
        video=video_facts,
        audio=audio_facts,
        streams=words,
        unseen_streams=[] if still else unseen,  # a thumbnail, a gain map
    )
    picture = frame if kind == "image" else None
    return Media(path=path, facts=facts, limits=limits, start_seconds=start_seconds, stamp=stamp, picture=picture)


def _default_video(container: InputContainer) -> VideoStream | None:
    """Choose the stream marked as default, and of several the one with most pixels; cover art is never chosen."""
    streams = [stream for stream in container.streams.video if not stream.disposition & _COVER_ART]
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if streams and not decodable:
        raise UnsupportedMediaError(
            f"{shown(Path(container.name).name)}: no decoder for its video codec; convert it to H.264 in MP4"
        )
    # a HEIF file has its title picture as a stream of one frame beside the video
    return _best(decodable, [(stream.width * stream.height, stream.frames) for stream in decodable])


def _default_audio(container: InputContainer) -> AudioStream | None:
    streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
    return _best(streams, [(stream.codec_context.channels,) for stream in streams])


def _best(streams: Sequence[AnyStream], sizes: Sequence[tuple[int, ...]]) -> AnyStream | None:
    """Return the largest of the default streams, or of all where none is marked; the first of equals."""
    ranked = [
        (bool(stream.disposition & Disposition.default), size, -stream.index)
        for stream, size in zip(streams, sizes, strict=True)
    ]
    return streams[ranked.index(max(ranked))] if ranked else None


def _audio_facts(stream: AudioStream) -> AudioFacts:
    codec = stream.codec_context
    return AudioFacts(
        stream_index=stream.index,
        codec=codec.codec.canonical_name,
        sample_rate=codec.sample_rate,
        channels=codec.channels,
        language=_language(stream),
        duration_seconds=_known(stream.duration, stream.time_base),
    )


def _video_facts(
    path: Path, container: InputContainer, stream: VideoStream, limits: Limits, *, still: bool
) -> tuple[VideoFacts, VideoFrame]:
    """Return the facts of the video stream and its first frame, which most of them are taken from."""
    codec = stream.codec_context
    if codec.width < 1 or codec.height < 1:
        raise CorruptMediaError(
            f"{shown(path.name)}: no usable picture size in the header of video stream #{stream.index}; it is damaged, "
            f"or beyond what decoders take: at most {limits.max_side:,} pixels a side are accepted"
        )
    check_picture(path.name, codec.width, codec.height, limits)
    frame = _first_frame(path, container, stream, limits)
    check_picture(path.name, frame.width, frame.height, limits)
    aspect = stream.sample_aspect_ratio or Fraction(1)
    width, height = max(1, round(frame.width * aspect)), frame.height
    check_picture(path.name, width, height, limits)
    rotation, mirrored = _orientation(path, stream, frame)
    if rotation in (90, 270):
        width, height = height, width
    facts = VideoFacts(
        stream_index=stream.index,
        codec=codec.codec.canonical_name,
        profile=None if stream.profile is None else str(stream.profile),
        pixel_format=frame.format.name,
        width=width,
        height=height,
        coded_width=frame.width,
        coded_height=frame.height,
        rotation_degrees=rotation,
        mirrored=mirrored,
        sample_aspect_ratio=f"{aspect.numerator}:{aspect.denominator}",
        interlaced=frame.interlaced_frame,
        frame_rate=None if still or not stream.average_rate else float(stream.average_rate),
        start_seconds=0.0 if still else float((frame.pts or 0) * (stream.time_base or 0)),
        duration_seconds=None if still else _known(stream.duration, stream.time_base),
    )
    return facts, frame


def _orientation(path: Path, stream: VideoStream, frame: VideoFrame) -> tuple[int, bool]:
    """Return the clockwise turn in degrees, and whether the picture is mirrored before it."""
    with named_os_errors(path), path.open("rb") as file:
        orientation, mirrored = jpeg_orientation(file), is_mirrored_track(file, stream.id)
    if orientation is not None:
        return _ORIENTATIONS[orientation]
    # the angle of a mirrored matrix is that of a turn after top and bottom, not left and right, changed places
    return (round(-frame.rotation / 90) * 90 + 180 * mirrored) % 360, mirrored


def _known(ticks: int | None, tick_seconds: Fraction | None) -> float | None:
    """Return a duration in seconds; None where the header has none, or one that cannot be."""
    return None if ticks is None or tick_seconds is None or ticks < 0 else float(ticks * tick_seconds)


def _first_frame(path: Path, container: InputContainer, stream: VideoStream, limits: Limits) -> VideoFrame:
    """Decode up to the first frame: it alone tells rotation and interlacing, and that the codec can be decoded."""
    codec = stream.codec_context
    codec.options = {"max_pixels": str(limits.max_pixels)}
    codec.thread_type, codec.thread_count = ThreadType.SLICE, 1  # several would decode the frames after it, too
    damage = "it holds no key frame"
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
            frames = codec.decode(packet if packet.size else None)
            if not frames and packet.is_keyframe and not packet.is_discard and packet.size:
                frames = codec.decode(None)  # the decoder holds it back to put frames in order
                codec.flush_buffers()
            if frames:
                return frames[0]
        except StopIteration:
            break
        except av.error.FFmpegError as error:
            damage = error.strerror or str(error)
    raise CorruptMediaError(
        f"{shown(path.name)}: not one frame of video stream #{stream.index} ({codec.name}) could be decoded: {damage}; "
        "upload the file again or repair it"
    )


def _stream_in_words(stream: Stream, chosen: bool) -> str:
    """Describe a stream in one line, e.g. "#0 video h264 854x480 25 fps (default) - used"."""
    words: list[str] = [f"#{stream.index}", stream.type]
    codec = stream.codec_context
    words += ["of an unknown codec"] if codec is None else [codec.codec.canonical_name]
    if isinstance(codec, VideoCodecContext):
        words += [f"{codec.width}x{codec.height}"]
        words += [f"{float(stream.average_rate):g} fps"] if stream.average_rate else []
    elif isinstance(codec, AudioCodecContext):
        words += [f"{codec.sample_rate} Hz", f"{codec.channels} channels"]
    language = _language(stream)
    words += [language] if language else []
    words += ["cover art"] if stream.disposition & _COVER_ART else []
    words += ["(default)"] if stream.disposition & Disposition.default else []
    return " ".join(words) + (" - used" if chosen else "")


def _language(stream: Stream) -> str | None:
    return stream.language if stream.language not in (None, "und") else None


def _sha256(path: Path) -> str:
    with named_os_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
