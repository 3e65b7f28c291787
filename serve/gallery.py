"""Galleries of people to be named: read from their file, or made of a folder of pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_zoo import faces
from model_zoo.errors import GalleryError, MediaError, UsageError
from model_zoo.faces.gallery import Gallery, make, only_face, read
from model_zoo.faces.looking import VIEW, Look, recogniser
from serve.decode.reading import Wanted
from serve.decode.reading import read as read_frames
from serve.media import open_media
from serve.models import Ready, load_models
from serve.settings import Settings

PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


# What to do about a picture that cannot be used: its path, which picture of which person it is without a name, and why
LeftOut = Callable[[Path, str, str], None]
NAMES_THEM = "`reelwarden gallery build` says which"


def find_gallery(settings: Settings, models: Mapping[str, Mapping[str, Ready]]) -> Gallery | None:
    """Return the gallery of the settings; None where none is set or nobody looks for faces.

    Raises UsageError, or GalleryError for a file or a folder that cannot be used as a whole.
    """
    if settings.gallery is None or faces.DOMAIN.name not in models:
        return None
    if not settings.biometrics:
        raise UsageError(
            f"gallery={settings.gallery}: nobody is named without biometrics; leave out the gallery or --no-biometrics"
        )
    ready = models[faces.DOMAIN.name]
    if not settings.gallery.is_dir():
        return read(settings.gallery, ready[faces.ROLE].spec, ready[faces.EMBEDDER].spec)
    return _build(settings.gallery, ready, settings, _refused)


def _refused(picture: Path, place: str, reason: str) -> None:
    raise GalleryError(f"{picture.parent.parent}: {place}: {reason}; {NAMES_THEM}, and goes on without it")


def build(folder: Path, settings: Settings, left_out: LeftOut) -> Gallery:
    """Make a gallery of the folders NAME in `folder`; raises GalleryError for a person without any usable picture.

    No message of an error says a name, as messages get into logs; `left_out` is told of each picture that is.
    """
    if not folder.is_dir():
        raise GalleryError(f"{folder}: not a folder; it must hold a folder of pictures for each name")
    with ThreadPoolExecutor(settings.threads, thread_name_prefix="infer") as executor:
        return _build(folder, load_models([faces.DOMAIN], settings, executor)[faces.DOMAIN.name], settings, left_out)


def _build(folder: Path, models: Mapping[str, Ready], settings: Settings, left_out: LeftOut) -> Gallery:
    look = recogniser(models[faces.ROLE].loaded(), models[faces.EMBEDDER].loaded())
    people: dict[str, dict[str, NDArray[np.float32]]] = {}
    named = _people(folder)
    for number, (name, pictures) in enumerate(named.items(), 1):
        person = f"person {number} of {len(named)}"
        embeddings: dict[str, NDArray[np.float32]] = {}
        for index, picture in enumerate(pictures, 1):
            try:
                embeddings[picture.name] = _embedding(picture, look, settings)
            except (GalleryError, MediaError) as error:
                left_out(picture, f"picture {index} of {person}", str(error))
        if not embeddings:
            raise GalleryError(f"{folder}: {person}: no picture can be used; {NAMES_THEM}")
        people[name] = embeddings
    return make(models[faces.ROLE].spec, models[faces.EMBEDDER].spec, people)


def _people(folder: Path) -> dict[str, Sequence[Path]]:
    """Return the pictures of each name, in the order of the names; raises GalleryError where there are none."""
    places = sorted(path for path in folder.iterdir() if path.is_dir())
    if not places:
        raise GalleryError(f"{folder}: no folder in it; it must hold a folder of pictures for each name")
    people: dict[str, Sequence[Path]] = {}
    for number, place in enumerate(places, 1):
        people[place.name] = sorted(path for path in place.iterdir() if path.suffix.lower() in PICTURES)
        if not people[place.name]:
            raise GalleryError(
                f"{folder}: folder {number} of {len(places)}, by name: no picture in it; accepted are "
                f"{', '.join(sorted(PICTURES))}"
            )
    return people


def _embedding(picture: Path, look: Look, settings: Settings) -> NDArray[np.float32]:
    media = open_media(picture, settings.limits())
    with read_frames(media, [Wanted(VIEW, 0.0, 1)], backend=settings.decoder, threads=settings.threads) as reading:
        for _, frames in reading:
            return only_face(look(frames)[0])
    raise GalleryError("holds no picture")
