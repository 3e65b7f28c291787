"""What the report says of faces. Embeddings are never part of it."""

from __future__ import annotations

from pydantic import Field

from model_zoo.document import ReportModel
from model_zoo.report import BoxFacts, DomainPart, Segment, TrackPoint


class FaceSegment(Segment):
    """A stretch of time in which a face, or one person, was in the picture."""

    label: str = Field(description="`face` for all faces together; else the person's name, or the id without a name")
    peak_count: int = Field(description="most faces in one frame; 1 for a person")
    person: str | None = Field(default=None, description="id of the person; null for all faces together")


class FacePoint(TrackPoint):
    """A face in one frame."""

    recognisable: bool = Field(description="large, sharp and frontal enough to be compared with others")


class FaceTrack(Segment):
    """One face followed from frame to frame; never across a cut."""

    label: str = "face"
    track: int = Field(description="number within this report, from 0, in order of the start")
    person: str | None = Field(description="id of the person; null where no face of the track was recognisable")
    points: list[FacePoint] = Field(description="where it was, in every analyzed frame that shows it")


class Point(ReportModel):
    """A place, as shares of the upright frame's width and height."""

    x: float
    y: float


class BestFace(ReportModel):
    """The face to show of a person."""

    seconds: float
    confidence: float
    box: BoxFacts
    landmarks: list[Point] = Field(
        description="outer and inner corner of the eye at picture right, of that at picture left, base of the nose"
    )
    size_pixels: float = Field(description="width of the box in pixels of the source")
    sharpness: float = Field(description="variance of the Laplacian of the upright face")
    yaw_degrees: float = Field(description="turned to the picture's right; an estimate")
    pitch_degrees: float = Field(description="looking up; an estimate")
    roll_degrees: float = Field(description="tilted clockwise")


class GalleryMatch(ReportModel):
    """Who of the gallery a person is."""

    name: str
    distance: float = Field(description="root mean square distance of the embeddings, from 0; smaller is more alike")
    picture: str = Field(description="the picture of the gallery that is nearest")


class Person(ReportModel):
    """Somebody seen in the media, anywhere and in any number of shots."""

    id: str = Field(description="person-1, person-2 ... in order of appearance")
    match: GalleryMatch | None = Field(default=None, description="null when no gallery was given or nobody fits")
    first_seen_seconds: float
    last_seen_seconds: float = Field(description="end of the last sample that shows the person")
    seconds_on_screen: float
    faces: int = Field(description="analyzed frames that show the person")
    tracks: list[int]
    best: BestFace


class GalleryFacts(ReportModel):
    """The gallery that people were looked for in."""

    names: int
    pictures: int
    threshold: float = Field(description="largest distance at which somebody is named")


class FacesPart(DomainPart):
    """Faces, each followed through its shot; and people, each known again over the whole media."""

    segments: list[FaceSegment] = Field(default_factory=list)  # type: ignore[assignment]
    tracks: list[FaceTrack] = Field(default_factory=list)
    people: list[Person] = Field(default_factory=list, description="empty where biometrics are switched off")
    faces: int = Field(default=0, description="faces in all analyzed frames")
    recognisable_faces: int = Field(default=0, description="of these, good enough to be compared with others")
    biometrics: bool = Field(default=True, description="whether faces were compared with each other at all")
    gallery: GalleryFacts | None = None
