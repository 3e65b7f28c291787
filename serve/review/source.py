"""What the review page plays, and the pictures it shows."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from model_zoo.errors import UsageError
from model_zoo.faces.schema import FacesPart
from model_zoo.report import MediaFacts, Report
from serve.album import Album, pictures
from serve.media import Media
from serve.review.findings import findings, length_seconds
from serve.review.parts import part_of
from serve.shown import shown
from serve.stills import Still

MOST_STILLS = 240  # in one page: about 10 MB
MOST_EVEN_STILLS = 120  # of them, spread over a video that browsers do not play
MOST_EMBEDDED_BYTES = 64_000_000

# what current browsers play: for a container the codecs of picture and sound, and what the kind of file is called
_PLAYABLE = {
    "mov,mp4,m4a,3gp,3g2,mj2": ({"h264", "av1", "vp9"}, {"aac", "mp3", "opus", "flac"}, "mp4"),
    "matroska,webm": ({"vp8", "vp9", "av1"}, {"opus", "vorbis"}, "webm"),
    "mp3": (set(), {"mp3"}, "mpeg"),
    "wav": (set(), {"pcm_s16le", "pcm_u8", "pcm_f32le"}, "wav"),
    "flac": (set(), {"flac"}, "flac"),
    "ogg": (set(), {"opus", "vorbis", "flac"}, "ogg"),
    "aac": (set(), {"aac"}, "aac"),
}


@dataclass(frozen=True, slots=True)
class MediaSource:
    """Where the page finds the media: an address (relative, absolute or `data:`), and pictures taken from it.

    Without an address, or where the browser cannot play it, the page shows the pictures in its place.
    """

    url: str | None = None
    stills: Sequence[Still] = ()


def is_playable(facts: MediaFacts) -> bool:
    """Say whether current browsers play a file; unknown codecs count as not."""
    pictures, sounds, _ = _PLAYABLE.get(facts.container, (set[str](), set[str](), ""))
    seen = facts.video is None or facts.video.codec in pictures
    heard = facts.audio is None or facts.audio.codec in sounds
    return facts.kind in ("video", "audio") and seen and heard


def wanted_seconds(report: Report) -> list[float]:
    """Return the times that the page has a picture of: the peaks of the findings and the best face of everybody."""
    peaks = [finding.peak_seconds for finding in findings(report)]
    return sorted({*peaks, *(person.best.seconds for person in part_of(report, "faces", FacesPart).people)})


def even_seconds(report: Report) -> list[float]:
    """Return times spread over the media, for a video that cannot be played."""
    length = length_seconds(report)
    count = 1 if report.media.kind == "image" else min(MOST_EVEN_STILLS, max(2, int(length)))
    return [float(second) for second in np.linspace(0.0, length, count, endpoint=False)]


def media_source(
    report: Report, media: Media, page_folder: Path | None, *, embed: bool = False, album: Album | None = None
) -> MediaSource:
    """Take the pictures that a page in `page_folder` shows, and say where it finds the media.

    A page without a folder, as one that is sent, has no media beside it: pictures stand in where none is embedded.
    Every picture that is not in the album costs a seek.

    Raises UsageError where the media is not what the report speaks of, or is too large to be embedded.
    """
    if media.facts.sha256 != report.media.sha256:
        raise UsageError(
            f"{shown(str(media.path))}: sha256 {media.facts.sha256} is not that of the report ({report.media.sha256}); "
            "give the file that was analyzed, or analyze this one"
        )
    url = None
    if is_playable(report.media):
        url = _embedded(media) if embed else _relative(media.path, page_folder) if page_folder else None
    wanted = wanted_seconds(report)[:MOST_STILLS]
    if url is None:
        wanted = sorted({*wanted, *even_seconds(report)})[:MOST_STILLS]
    return MediaSource(url, pictures(media, wanted, album))


def _relative(path: Path, folder: Path) -> str:
    """Return the address of a file as seen from a page in a folder."""
    try:
        return quote(os.fsencode(Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()))
    except ValueError:  # another drive
        return path.resolve().as_uri()


def _embedded(media: Media) -> str:
    size = media.facts.size_bytes
    if size > MOST_EMBEDDED_BYTES:
        raise UsageError(
            f"{shown(str(media.path))}: {size:,} bytes are more than the {MOST_EMBEDDED_BYTES:,} that may be embedded; "
            "leave out --embed and keep the file beside the page"
        )
    kind = "audio" if media.facts.kind == "audio" else "video"
    subtype = _PLAYABLE[media.facts.container][2]
    return f"data:{kind}/{subtype};base64,{base64.b64encode(media.path.read_bytes()).decode('ascii')}"
