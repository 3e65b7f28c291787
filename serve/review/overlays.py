"""What is drawn over the picture: boxes that move with time, of every domain that says where something is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from model_zoo.faces.schema import FacesPart
from model_zoo.moderation.schema import ModerationPart
from model_zoo.objects.schema import ObjectsPart
from model_zoo.report import Report, Segment, TrackPoint
from model_zoo.text.schema import TextPart
from serve.review.parts import part_of

Place = tuple[float, float, float, float, float]  # seconds, then x1, y1, x2, y2 as shares of the picture


@dataclass(frozen=True, slots=True)
class Overlay:
    """One thing and where it was over time."""

    domain: str
    label: str
    confidence: float
    start_seconds: float
    end_seconds: float
    places: tuple[Place, ...]  # in time order

    @property
    def sample_seconds(self) -> float:
        """Return how far the samples lie apart that show it; a second where there is only one."""
        return min((after[0] - before[0] for before, after in pairwise(self.places)), default=1.0)


def overlays(report: Report) -> list[Overlay]:
    """Return everything that has a place in the picture."""
    return [*_moderation(report), *_objects(report), *_faces(report), *_text(report)]


def _moderation(report: Report) -> Iterator[Overlay]:
    for segment in part_of(report, "moderation", ModerationPart).segments:
        if segment.regions:
            yield _overlay("moderation", segment.label, segment, segment.regions)


def _objects(report: Report) -> Iterator[Overlay]:
    for track in part_of(report, "objects", ObjectsPart).tracks:
        yield _overlay("objects", track.label, track, track.points)


def _faces(report: Report) -> Iterator[Overlay]:
    part = part_of(report, "faces", FacesPart)
    names = {person.id: person.match.name if person.match else person.id for person in part.people}
    for track in part.tracks:
        yield _overlay("faces", names.get(track.person or "", track.label), track, track.points)


def _text(report: Report) -> Iterator[Overlay]:
    for segment in part_of(report, "text", TextPart).segments:
        yield _overlay("text", segment.label, segment, segment.points)


def _overlay(domain: str, label: str, segment: Segment, points: Sequence[TrackPoint]) -> Overlay:
    return Overlay(
        domain=domain,
        label=label,
        confidence=segment.peak_confidence,
        start_seconds=segment.start_seconds,
        end_seconds=segment.end_seconds,
        places=tuple((point.seconds, point.box.x1, point.box.y1, point.box.x2, point.box.y2) for point in points),
    )
