"""Real weights, real pictures, and the faces that a person has marked in them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from model_zoo import faces
from model_zoo.faces.looking import VIEW, finder, recogniser
from model_zoo.faces.quality import Quality
from model_zoo.ops.boxes import overlaps
from model_zoo.ops.geometry import place
from model_zoo.ops.image import Pyramid, warp
from model_zoo.values import Frames, Prediction
from serve.decode.reading import Wanted, read
from serve.media import open_media
from serve.models import Ready, load_models
from serve.settings import load_settings
from tests.conftest import MEDIA

TRUTH: dict[str, Any] = json.loads((MEDIA / "ground_truth.json").read_text("utf-8"))


@cache
def models() -> dict[str, Ready]:
    """Load the default models once."""
    settings = load_settings(threads=2)
    return load_models([faces.DOMAIN], settings, ThreadPoolExecutor(2))["faces"]


def frames_of(path: Path, interval_seconds: float = 0.0) -> list[Frames]:
    """Read a picture, or a video at an interval, as the domain wants it."""
    settings = load_settings()
    media = open_media(path, settings.limits())
    with read(media, [Wanted(VIEW, interval_seconds, 4)], threads=2) as reading:
        return [frames for _, frames in reading]


def demo_frames(numbers: set[int]) -> dict[int, Frames]:
    """Return single frames of the demo by their number, as the domain wants them."""
    with av.open(str(MEDIA / "demo.mp4")) as container:
        pictures = {
            number: frame.to_ndarray(format="rgb24")
            for number, frame in enumerate(container.decode(video=0))
            if number in numbers
        }
    return {number: laid_out(picture, number / 25) for number, picture in pictures.items()}


def laid_out(picture: NDArray[np.uint8], seconds: float = 0.0) -> Frames:
    """Lay a picture (H, W, 3) into the view that the domain asks for."""
    height, width = picture.shape[:2]
    laid = place(VIEW, width, height)
    step = 1 / laid.scale_x
    to_source = np.array([[step, 0, step / 2 - 0.5], [0, step, step / 2 - 0.5]])
    pixels = np.zeros((1, VIEW.height, VIEW.width, 3), np.uint8)
    pixels[0, : laid.height, : laid.width] = warp(Pyramid(picture), to_source, laid.width, laid.height)
    return Frames(pixels, np.array([seconds]), VIEW, width, height)


def seen_in(path: Path) -> Prediction:
    """Find and embed the faces of a picture."""
    (frames,) = frames_of(path)
    return seen(frames)[0]


def seen(frames: Frames) -> list[Prediction]:
    """Find and embed the faces of frames."""
    return recogniser(models()["detector"].loaded(), models()["embedder"].loaded())(frames)


def found_in(frames: Frames) -> list[Prediction]:
    """Find faces without embedding them."""
    return finder(models()["detector"].loaded())(frames)


def embedding_of(path: Path) -> NDArray[np.float32]:
    """Return the embedding of the one face of a picture."""
    (row,) = seen_in(path).arrays["embedding"]
    return row


def qualities(prediction: Prediction) -> list[Quality]:
    """Return the quality of each face."""
    return [Quality(*row.tolist()) for row in prediction.arrays["quality"]]


def matched(prediction: Prediction, marked: list[list[float]], least_overlap: float = 0.4) -> bool:
    """Tell whether exactly the marked faces (x, y, width, height) were found."""
    boxes = np.array([(box.x1, box.y1, box.x2, box.y2) for box in prediction.boxes], np.float32).reshape(-1, 4)
    wanted = np.array([(x, y, x + w, y + h) for x, y, w, h in marked], np.float32).reshape(-1, 4)
    if len(boxes) != len(wanted):
        return False
    return not len(boxes) or bool((overlaps(boxes, wanted).max(axis=0) >= least_overlap).all())
