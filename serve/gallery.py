"""Galleries of people to be named: read from their file, or made of a folder of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Built:
    """A gallery made of a folder, and why pictures were left out of it."""

    gallery: Gallery
    left_out: tuple[str, ...]


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
        return read(settings.gallery, ready[faces.EMBEDDER].spec)
    built = _build(settings.gallery, ready, settings)
    if built.left_out:
        raise GalleryError(f"{built.left_out[0]}; `reelwarden gallery build` goes on without such pictures")
    return built.gallery


def build(folder: Path, settings: Settings) -> Built:
    """Make a gallery of the folders NAME in `folder`; raises GalleryError for a name without any usable picture."""
    if not folder.is_dir():
        raise GalleryError(f"{folder}: not a folder; it must hold a folder of pictures for each name")
    with ThreadPoolExecutor(settings.threads, thread_name_prefix="infer") as executor:
        return _build(folder, load_models([faces.DOMAIN], settings, executor)[faces.DOMAIN.name], settings)


def _build(folder: Path, models: Mapping[str, Ready], settings: Settings) -> Built:
    look = recogniser(models[faces.ROLE].loaded(), models[faces.EMBEDDER].loaded())
    named: dict[str, dict[str, NDArray[np.float32]]] = {}
    left_out: list[str] = []
    for name, pictures in _people(folder).items():
        embeddings: dict[str, NDArray[np.float32]] = {}
        for picture in pictures:
            try:
                embeddings[picture.name] = _embedding(picture, look, settings)
            except (GalleryError, MediaError) as error:
                left_out.append(f"{picture}: {error}")
        if not embeddings:
            raise GalleryError(f"{folder / name}: no picture can be used: {left_out[-1]}")
        named[name] = embeddings
    return Built(make(models[faces.EMBEDDER].spec, named), tuple(left_out))


def _people(folder: Path) -> dict[str, Sequence[Path]]:
    """Return the pictures of each name; raises GalleryError where there are none."""
    people: dict[str, Sequence[Path]] = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        pictures = sorted(path for path in place.iterdir() if path.suffix.lower() in PICTURES)
        if not pictures:
            raise GalleryError(f"{place}: no picture in it; accepted are {', '.join(sorted(PICTURES))}")
        people[place.name] = pictures
    if not people:
        raise GalleryError(f"{folder}: no folder in it; it must hold a folder of pictures for each name")
    return people


def _embedding(picture: Path, look: Look, settings: Settings) -> NDArray[np.float32]:
    media = open_media(picture, settings.limits())
    with read_frames(media, [Wanted(VIEW, 0.0, 1)], backend=settings.decoder, threads=settings.threads) as reading:
        for _, frames in reading:
            return only_face(look(frames)[0])
    raise GalleryError("holds no picture")
