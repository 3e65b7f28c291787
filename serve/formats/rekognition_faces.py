"""Rekognition GetFaceSearch: faces of every analyzed frame, and who of the gallery they are."""

from __future__ import annotations

import hashlib
import re
from uuid import NAMESPACE_URL, uuid5

from model_zoo.faces.schema import FacePoint, FacesPart, Person
from model_zoo.report import Report
from serve.formats.form import Form, as_json
from serve.formats.rekognition_shape import Json, bounding_box, job, millis, percent, video_metadata

DOMAIN = "faces"
SIMILARITY_AT_THRESHOLD = 80.0  # Rekognition's own default threshold
MODEL_VERSION_UNKNOWN = "0"
HASH_LETTERS = 8
MOST_ID_LETTERS = 255 - HASH_LETTERS - 1  # Rekognition allows 255


def face_search(report: Report) -> str:
    """Return one item for every face of every analyzed frame, in time order."""
    part = report.domains[DOMAIN]
    items: list[Json] = []
    if isinstance(part, FacesPart):
        known = {person.id: number for number, person in enumerate(part.people)}
        people = {person.id: person for person in part.people}
        for track in part.tracks:
            index = known[track.person] if track.person in known else len(known) + track.track
            matches = _matches(part, people[track.person]) if track.person in people else []
            items += [_item(point, index, matches) for point in track.points]
    items.sort(key=lambda item: (item["Timestamp"], item["Person"]["Index"]))
    return as_json(job(report) | {"VideoMetadata": video_metadata(report), "Persons": items})


def _item(point: FacePoint, index: int, matches: list[Json]) -> Json:
    box = bounding_box(point.box)
    return {
        "Timestamp": millis(point.seconds),
        "Person": {
            "Index": index,
            "BoundingBox": box,
            "Face": {"BoundingBox": box, "Confidence": percent(point.confidence)},
        },
        "FaceMatches": matches,
    }


def _matches(part: FacesPart, person: Person) -> list[Json]:
    """Return who of the gallery a person is: nobody, or one.

    The similarity maps the distance so that 0 is 100 and the gallery's threshold 80; it is no probability.
    """
    if person.match is None or part.gallery is None:
        return []
    name, picture = person.match.name, person.match.picture
    nearness = 1 - person.match.distance / part.gallery.threshold
    similarity = SIMILARITY_AT_THRESHOLD + (100 - SIMILARITY_AT_THRESHOLD) * nearness
    embedder = next((model.name for model in part.models if model.role == "embedder"), MODEL_VERSION_UNKNOWN)
    face = {
        "FaceId": str(uuid5(NAMESPACE_URL, f"reelwarden:{name}/{picture}")),
        "ImageId": str(uuid5(NAMESPACE_URL, f"reelwarden:{picture}")),
        "ExternalImageId": _external_id(name),
        "IndexFacesModelVersion": embedder,
    }
    return [{"Similarity": round(max(0.0, min(100.0, similarity)), 4), "Face": face}]


def _external_id(name: str) -> str:
    """Return a name in the letters that Rekognition allows; where that changes it, its hash tells it from others."""
    allowed = re.sub(r"[^a-zA-Z0-9_.\-:]", "_", name)[:MOST_ID_LETTERS]
    if allowed == name:
        return name
    own = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_LETTERS]
    return f"{allowed}:{own}"


FACE_SEARCH = Form(
    "rekognition-face-search",
    "Rekognition GetFaceSearch",
    ("application/json",),
    "rekognition-face-search.json",
    face_search,
    profile="rekognition-face-search",
    needs=(DOMAIN,),
)
