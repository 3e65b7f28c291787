"""The people of a report, each with the picture that shows the face best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_zoo.faces.schema import FacesPart, Person
from model_zoo.report import BoxFacts, Report
from serve.decode.canvas import Picture
from serve.jpeg import decode, encode
from serve.review.parts import part_of
from serve.stills import Still

MARGIN_SHARE = 0.35  # of the box, shown around it
FARTHEST_SECONDS = 0.1  # a still of another moment may show somebody else


@dataclass(frozen=True, slots=True)
class Portrait:
    """Somebody, and a JPEG of the face; None where there is no picture of that moment."""

    person: Person
    jpeg: bytes | None

    @property
    def name(self) -> str:
        """Return the name from the gallery, else the id."""
        return self.person.match.name if self.person.match else self.person.id


def portraits(report: Report, stills: Sequence[Still]) -> list[Portrait]:
    """Return everybody in the order of the report."""
    return [Portrait(person, _face(person, stills)) for person in part_of(report, "faces", FacesPart).people]


def _face(person: Person, stills: Sequence[Still]) -> bytes | None:
    still = min(stills, key=lambda still: abs(still.seconds - person.best.seconds), default=None)
    if still is None or abs(still.seconds - person.best.seconds) > FARTHEST_SECONDS:
        return None
    return encode(_cut(decode(still.jpeg), person.best.box))


def _cut(picture: Picture, box: BoxFacts) -> Picture:
    """Cut a square around a box out of a picture, as far as the picture goes."""
    height, width = picture.shape[:2]
    centre_x, centre_y = (box.x1 + box.x2) / 2 * width, (box.y1 + box.y2) / 2 * height
    half = max((box.x2 - box.x1) * width, (box.y2 - box.y1) * height) * (0.5 + MARGIN_SHARE)
    left, right = max(0, round(centre_x - half)), min(width, round(centre_x + half))
    top, bottom = max(0, round(centre_y - half)), min(height, round(centre_y + half))
    return picture[top : max(bottom, top + 1), left : max(right, left + 1)]
