"""Whose faces the test media show: labelled by hand, by file, time and place in the frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.media_sets import OWN_MEDIA, RICH_MEDIA, own_truth, rich_truth

EVERYWHERE = (0.0, 1e9)


@dataclass(frozen=True, slots=True)
class Seen:
    """A person in a file, alone in a stretch of time and in a strip of the frame."""

    name: str
    path: Path
    seconds: tuple[float, float] = EVERYWHERE
    x: tuple[float, float] = EVERYWHERE  # pixels of the source

    def shows(self, seconds: float, x: float) -> bool:
        """Tell whether a face at this time, with its middle here, is this person's."""
        low, high = self.seconds
        left, right = self.x
        return low <= max(seconds, 0.0) < high and left <= x < right


CROWDS = (("video_01.mp4", 5, 3),)  # file, faces to be seen in every frame, frames at one a second

_VIDEO = RICH_MEDIA / "video"
_ROOM, _CONCERT = _VIDEO / "video_01.mp4", _VIDEO / "white_house_clip_muted.mp4"
_IN_VIDEOS = (
    Seen("grid A", _VIDEO / "grid_bbaf2n.mpg"),
    Seen("grid B", _VIDEO / "grid_lrwp9a.mpg"),
    Seen("room 1", _ROOM, x=(0, 180)),
    Seen("room 2", _ROOM, x=(180, 290)),
    Seen("room 3", _ROOM, x=(290, 350)),
    Seen("room 4", _ROOM, x=(350, 450)),
    Seen("room 5", _ROOM, x=(450, 640)),
    Seen("singer", _CONCERT, (0, 0.6), (400, 640)),
    Seen("singer", _CONCERT, (2.9, 6.9)),
    Seen("listener 1", _CONCERT, (6.95, 10), (0, 120)),
    Seen("listener 2", _CONCERT, (6.95, 10), (120, 250)),
    Seen("obama", _CONCERT, (6.95, 10), (250, 365)),
    Seen("listener 3", _CONCERT, (6.95, 10), (365, 640)),
)


def people_in_pictures() -> Iterator[Seen]:
    """Yield who is on photographs of one person; a crop of a photograph does not count as another."""
    own, rich = own_truth()["faces"]["identities"], rich_truth()["face_identity"]
    crops = ("astronaut_crop", "astronaut_mirrored", "grace_hopper_crop", "screencast_man")
    yield from (Seen(name, OWN_MEDIA / path) for path, name in own.items() if not Path(path).stem.startswith(crops))
    same = {"hopper": "grace_hopper"}
    for path, names in rich.items():
        if len(names) == 1:
            yield Seen(same.get(names[0], names[0]), RICH_MEDIA / path)


def people_in_videos() -> Iterator[Seen]:
    """Yield who is in which shot of the videos."""
    for shot in own_truth()["demo"]["segments"]:
        for face in shot.get("faces", ()):
            yield Seen(face["person"], OWN_MEDIA / "demo.mp4", (shot["start_s"], shot["end_s"]))
    yield from _IN_VIDEOS
