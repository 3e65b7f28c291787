"""Pictures that are kept while the frames of a video go by, so that it need not be decoded again for them."""

from __future__ import annotations

from collections.abc import Sequence

from model_zoo.domain import Domain, Start, Summary
from model_zoo.report import DomainPart
from model_zoo.values import Frames, Prediction, Watcher
from serve.attempt import Attempt
from serve.jpeg import encode
from serve.media import Media
from serve.stills import Still, still_view, stills

MOST_BYTES = 64_000_000  # of JPEG: about half an hour, a picture a second


class Album:
    """Keeps a picture of every sampled frame; when they are too many, every other one, evenly over the whole video.

    It watches one media file like a domain does, and adds nothing to the report.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.stills: list[Still] = []
        self._most_bytes, self._bytes = most_bytes, 0
        self._stride, self._seen = 1, 0  # one of `stride` frames is kept
        self._interval_seconds = 0.0

    def attempt(self, media: Media, interval_seconds: float) -> Attempt | None:
        """Return what hands the frames to this album; None where there is no picture."""
        if media.facts.video is None:
            return None
        self._interval_seconds = interval_seconds
        watcher = Watcher("stills", still_view(media.facts.video), interval_seconds, self._keep)
        return Attempt(_DOMAIN, models={}, watchers=(watcher,), predictions={"stills": []})

    def near(self, seconds: float) -> Still | None:
        """Return the picture of the sample nearest to a time; None where that was not kept."""
        still = min(self.stills, key=lambda still: abs(still.seconds - seconds), default=None)
        return still if still and abs(still.seconds - seconds) <= self._interval_seconds / 2 else None

    def _keep(self, frames: Frames) -> Sequence[Prediction]:
        for picture, seconds in zip(frames.pixels, frames.seconds, strict=True):
            if self._seen % self._stride == 0:
                self.stills.append(Still(round(float(seconds), 6), encode(picture)))
                self._bytes += len(self.stills[-1].jpeg)
            self._seen += 1
            if self._bytes > self._most_bytes:
                self.stills = self.stills[::2]
                self._bytes = sum(len(still.jpeg) for still in self.stills)
                self._stride *= 2
        return ()


def pictures(media: Media, seconds: Sequence[float], album: Album | None = None) -> list[Still]:
    """Return a picture for each time, in time order, each once: of the album where it has it, else by a seek."""
    near = {wanted: album.near(wanted) if album else None for wanted in seconds}
    sought = stills(media, [wanted for wanted, still in near.items() if still is None])
    taken = {still.seconds: still for still in (*filter(None, near.values()), *sought)}
    return [taken[second] for second in sorted(taken)]


def _nothing_to_start(_: Start) -> tuple[Watcher, ...]:
    return ()


def _nothing_to_say(_: Summary) -> DomainPart:
    return DomainPart()


_DOMAIN = Domain(
    name="album",
    title="pictures for people",
    roles={},
    reads=(),
    start=_nothing_to_start,
    summarize=_nothing_to_say,
    part=DomainPart,
)
