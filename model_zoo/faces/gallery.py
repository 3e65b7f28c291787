"""A gallery of known people: names, and the embeddings of their pictures; kept in a JSON file of our own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model_zoo.errors import GalleryError
from model_zoo.faces.embedders import embedder_of
from model_zoo.faces.grouping import Group, group_of, square_distances
from model_zoo.faces.schema import GalleryFacts, GalleryMatch
from model_zoo.manifest import ModelSpec
from model_zoo.values import Prediction

SCHEMA_VERSION: Literal["reelwarden.gallery/1"] = "reelwarden.gallery/1"
DECIMALS = 6
SHA256 = r"^[0-9a-f]{64}$"


@dataclass(frozen=True, slots=True)
class Known:
    """One picture of somebody."""

    name: str
    picture: str
    embedding: NDArray[np.float32]  # (D,)


@dataclass(frozen=True, slots=True)
class Gallery:
    """Pictures of people to be named: faces found by one model, embedded by another."""

    detector: str
    detector_sha256: str
    embedder: str
    embedder_sha256: str
    threshold: float  # largest distance at which somebody is named
    known: tuple[Known, ...]

    def facts(self) -> GalleryFacts:
        """Return what the report says of it."""
        return GalleryFacts(
            names=len({one.name for one in self.known}), pictures=len(self.known), threshold=self.threshold
        )


class _Picture(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    picture: str
    embedding: list[float] = Field(min_length=1)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    schema_version: Literal["reelwarden.gallery/1"] = SCHEMA_VERSION
    detector: str
    detector_sha256: str = Field(pattern=SHA256)
    embedder: str
    embedder_sha256: str = Field(pattern=SHA256)
    people: dict[str, list[_Picture]] = Field(min_length=1)


def make(
    detector: ModelSpec, embedder: ModelSpec, pictures: Mapping[str, Mapping[str, NDArray[np.float32]]]
) -> Gallery:
    """Return a gallery of embeddings by name and picture, made with the models of these manifest entries."""
    known = [Known(name, picture, row) for name, several in pictures.items() for picture, row in several.items()]
    least = embedder_of(embedder).same_person
    return Gallery(detector.name, detector.sha256, embedder.name, embedder.sha256, least, tuple(known))


def text(gallery: Gallery) -> str:
    """Return the gallery as the text of its file."""
    people: dict[str, list[_Picture]] = {}
    for one in gallery.known:
        numbers = [round(number, DECIMALS) for number in one.embedding.tolist()]
        people.setdefault(one.name, []).append(_Picture(picture=one.picture, embedding=numbers))
    file = _File(
        detector=gallery.detector,
        detector_sha256=gallery.detector_sha256,
        embedder=gallery.embedder,
        embedder_sha256=gallery.embedder_sha256,
        people=people,
    )
    return file.model_dump_json() + "\n"


def read(path: Path, detector: ModelSpec, spec: ModelSpec) -> Gallery:
    """Read the file of a gallery made with this detector and this embedder; raises GalleryError for any other.

    No message says a name that is in the file: messages get into logs.
    """
    try:
        file = _File.model_validate_json(path.read_bytes())
    except OSError as error:
        raise GalleryError(f"{path}: the gallery cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = _nameless(first["loc"])
        raise GalleryError(f"{path}: {place}: {first['msg']}; build it anew with `reelwarden gallery build`") from None
    for name, sha256, wanted in (
        (file.detector, file.detector_sha256, detector),
        (file.embedder, file.embedder_sha256, spec),
    ):
        if sha256 != wanted.sha256:
            raise GalleryError(
                f"{path}: made with {name} (sha256 {sha256[:12]}), but {wanted.name} ({wanted.sha256[:12]}) would be "
                "compared with it; build it anew with `reelwarden gallery build`"
            )
    lengths = {len(picture.embedding) for several in file.people.values() for picture in several}
    embedder = embedder_of(spec)
    if lengths != {embedder.length}:
        found = ", ".join(map(str, sorted(lengths)))
        raise GalleryError(
            f"{path}: embeddings of {found} numbers, {spec.name} makes {embedder.length}; "
            "build it anew with `reelwarden gallery build`"
        )
    known = [
        Known(name, picture.picture, np.array(picture.embedding, np.float32))
        for name, several in file.people.items()
        for picture in several
    ]
    made_with = file.detector, file.detector_sha256, file.embedder, file.embedder_sha256
    return Gallery(*made_with, embedder.same_person, tuple(known))


def _nameless(place: Sequence[int | str]) -> str:
    """Return where in the file something is wrong, without the name of whom it is about."""
    parts = ["NAME" if index == 1 and place[0] == "people" else str(part) for index, part in enumerate(place)]
    return ".".join(parts) or "the file"


def pair_distances(gallery: Gallery) -> list[tuple[Known, Known, float]]:
    """Return how far apart every two pictures are, each pair once."""
    groups = [group_of(index, (), one.embedding[None]) for index, one in enumerate(gallery.known)]
    distances = np.sqrt(square_distances(groups, groups))  # (pictures, pictures)
    rows, columns = np.triu_indices(len(groups), k=1)
    return [
        (gallery.known[row], gallery.known[column], float(distances[row, column]))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]


def only_face(prediction: Prediction) -> NDArray[np.float32]:
    """Return the embedding of the one face of a picture; raises GalleryError where there is none, or a choice."""
    embeddings = prediction.arrays["embedding"]
    if len(embeddings) != 1:
        raise GalleryError(f"shows {len(embeddings) or 'no'} faces; use a picture of one person")
    row: NDArray[np.float32] = embeddings[0]
    if np.isnan(row).any():
        raise GalleryError("shows a face too small, too blurred or turned too far; use a better picture")
    return row


def matches(groups: Sequence[Group], gallery: Gallery) -> list[GalleryMatch | None]:
    """Return who each group is: the name of the nearest picture, where that is near enough."""
    if not groups:
        return []
    pictures = [group_of(index, (), one.embedding[None]) for index, one in enumerate(gallery.known)]
    distances = np.sqrt(square_distances(groups, pictures))  # (groups, pictures)
    nearest = distances.argmin(axis=1)
    return [
        GalleryMatch(
            name=gallery.known[picture].name, distance=round(float(distance), 4), picture=gallery.known[picture].picture
        )
        if distance <= gallery.threshold
        else None
        for picture, distance in zip(nearest.tolist(), distances.min(axis=1).tolist(), strict=True)
    ]
