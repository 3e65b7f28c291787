"""How many faces are found, how small they may be, and how often two are taken for one person.

    python -m benchmarks.face_quality

Needs the folder of richer test media (REELWARDEN_TEST_MEDIA). Writes the figures to model_zoo/faces/measured.json and
into the card, for the default models and for a pair that a user may opt into.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import measured
from benchmarks.face_labels import CROWDS, Seen, people_in_pictures, people_in_videos
from benchmarks.media_sets import OWN_MEDIA, RICH_MEDIA, own_truth
from benchmarks.seen import predictions
from model_zoo.domains import by_name
from model_zoo.faces import EMBEDDER, ROLE
from model_zoo.metrics.verification import verification
from model_zoo.ops.boxes import overlaps
from model_zoo.values import Prediction
from serve.models import choose_models
from serve.pipeline import Analyzer
from serve.settings import load_settings

DOMAIN = "faces"
SOURCE = "python -m benchmarks.face_quality"
figure = partial(measured.figure, source=SOURCE)
OTHERS = {"models": "faces.detector=scrfd_500m,faces.embedder=arcface_mobilefacenet", "licences": "any"}
PORTRAITS = [OWN_MEDIA / "images" / name for name in ("astronaut.jpg", "grace_hopper.jpg")]
PORTRAITS += [OWN_MEDIA / "faces" / f"screencast_man_{name}.jpg" for name in "ab"]
PORTRAITS += [RICH_MEDIA / "faces" / f"{name}.jpg" for name in ("obama", "obama3", "biden", "biden2")]
SCENE = OWN_MEDIA / "images" / "street.jpg"  # no face in it
SIZES = (854, 480), (1280, 720), (1920, 1080)
WIDTHS = (20, 24, 28, 32, 48, 80)
ROWS, COLUMNS = 4, 4  # of pasted portraits: each twice
SURROUNDINGS = 1.0  # of the face's width, on every side of it
LEAST_OVERLAP = 0.4  # IoU at which a pasted face counts as found
SAME_PERSON = {"dlib_face": (0.50, 0.55, 0.58, 0.60, 0.62), "arcface": (1.1, 1.2, 1.3)}
SCRATCH = Path("out") / "face_quality"


@dataclass(frozen=True, slots=True)
class Face:
    """A face good enough to be compared, and whose it is."""

    name: str
    embedding: NDArray[np.float32]  # (D,)


def found_of(analyzer: Analyzer, path: Path) -> list[Prediction]:
    """Return the faces of each sampled frame of a file."""
    return predictions(analyzer, path)[ROLE]


def finding(analyzer: Analyzer) -> Iterator[dict[str, Any]]:
    """Yield the share of faces that are found in the demo and in pictures, and what else is taken for a face."""
    truth = own_truth()
    shots = truth["demo"]["segments"]
    counts = []
    for frame in found_of(analyzer, OWN_MEDIA / "demo.mp4"):
        shot = next(shot for shot in shots if shot["start_s"] <= frame.seconds < shot["end_s"])
        counts.append((shot["face_count"], len(frame.boxes)))
    yield from shares(counts, f"the demo, {len(counts)} frames")
    pictures = [
        (said["face_count"], len(found_of(analyzer, OWN_MEDIA / name)[0].boxes))
        for name, said in truth["images"].items()
    ]
    yield from shares(pictures, f"{len(pictures)} pictures")
    for name, people, frames in CROWDS:
        found = [len(frame.boxes) for frame in found_of(analyzer, RICH_MEDIA / "video" / name)]
        data = f"{name}, {people} to be seen in each of {frames} frames"
        yield figure("share of faces found", sum(min(people, one) for one in found[:frames]) / people / frames, data)


def shares(counts: Sequence[tuple[int, int]], words: str) -> Iterator[dict[str, Any]]:
    """Yield both figures for frames of which is known how many faces they show, and how many were found."""
    faces = sum(there for there, _ in counts)
    yield figure("share of faces found", sum(min(pair) for pair in counts) / faces, f"{words}, {faces} faces")
    yield figure("things taken for a face", sum(max(0, found - there) for there, found in counts), words)


def by_width(analyzer: Analyzer, widths: Sequence[int] = WIDTHS) -> Iterator[dict[str, Any]]:
    """Yield the share of faces that are found by their width: portraits pasted into a street scene."""
    cut = [portrait(analyzer, path) for path in PORTRAITS]
    for width in widths:
        for size in SIZES:
            path, boxes = pasted(cut, width, size)
            frame = found_of(analyzer, path)[0]
            seen = np.array([(box.x1, box.y1, box.x2, box.y2) for box in frame.boxes], np.float32).reshape(-1, 4)
            hits = (overlaps(boxes, seen) > LEAST_OVERLAP).any(axis=1) if len(seen) else np.zeros(len(boxes))
            data = f"{len(boxes)} faces pasted into {size[0]} x {size[1]}"
            yield figure(f"share found of faces {width} pixels wide", float(hits.mean()), data)


def portrait(analyzer: Analyzer, path: Path) -> tuple[NDArray[np.uint8], float]:
    """Return a square around the face of a picture, and the width of the face as a share of its side."""
    picture = cv2.imread(str(path))
    (box,) = found_of(analyzer, path)[0].boxes
    width = box.x2 - box.x1
    half = width * (0.5 + SURROUNDINGS)
    side = round(2 * half)
    corner = round((box.x1 + box.x2) / 2 - half), round((box.y1 + box.y2) / 2 - half)
    shift = np.array([[1, 0, -corner[0]], [0, 1, -corner[1]]], np.float64)
    square = cv2.warpAffine(picture, shift, (side, side), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(square, np.uint8), width / side


def pasted(
    cut: Sequence[tuple[NDArray[np.uint8], float]], width: int, size: tuple[int, int]
) -> tuple[Path, NDArray[np.float32]]:
    """Write a scene with every portrait in it twice, each face this wide; return it and the boxes (M, 4)."""
    scene = cv2.resize(cv2.imread(str(SCENE)), size, interpolation=cv2.INTER_AREA)
    boxes = []
    for number in range(ROWS * COLUMNS):
        square, share = cut[number % len(cut)]
        side = min(round(width / share), size[1] // ROWS)
        row, column = divmod(number, COLUMNS)
        x = round((column + 0.5) * size[0] / COLUMNS - side / 2)
        y = round((row + 0.5) * size[1] / ROWS - side / 2)
        shown = cv2.resize(square, (round(width / share),) * 2, interpolation=cv2.INTER_AREA)
        margin = (len(shown) - side) // 2
        scene[y : y + side, x : x + side] = shown[margin : margin + side, margin : margin + side]
        middle = x + side / 2, y + side / 2
        boxes.append((middle[0] - width / 2, middle[1] - width / 2, middle[0] + width / 2, middle[1] + width / 2))
    path = SCRATCH / f"{size[1]}_{width}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), scene)
    return path, np.array(boxes, np.float32)


def faces_of(analyzer: Analyzer) -> list[Face]:
    """Return all faces whose person is known and that are good enough to be compared."""
    seen: list[Seen] = [*people_in_pictures(), *people_in_videos()]
    return [
        Face(one.name, row)
        for one in seen
        for frame in found_of(analyzer, one.path)
        for box, row in zip(frame.boxes, frame.arrays["embedding"], strict=True)
        if not np.isnan(row).any() and one.shows(frame.seconds, (box.x1 + box.x2) / 2)
    ]


def comparing(faces: Sequence[Face], distances: Sequence[float]) -> Iterator[dict[str, Any]]:
    """Yield how pairs of faces are judged at each of these distances."""
    rows, columns = np.triu_indices(len(faces), k=1)
    embeddings = np.stack([face.embedding for face in faces]).astype(np.float64)
    apart = np.linalg.norm(embeddings[rows] - embeddings[columns], axis=1)
    names = np.array([face.name for face in faces])
    alike = names[rows] == names[columns]
    people = f"{len(faces)} faces of {len({face.name for face in faces})} people"
    for distance in distances:
        judged = verification(apart.tolist(), alike.tolist(), distance)
        same = f"{judged.refused} of {judged.same_pairs} pairs of one person; {people}"
        other = f"{judged.accepted} of {judged.other_pairs} pairs of two; {people}"
        yield figure(f"false reject rate, distance at most {distance:g}", judged.false_reject_rate, same)
        yield figure(f"false accept rate, distance at most {distance:g}", judged.false_accept_rate, other)


def measure(**more: str) -> measured.Figures:
    """Return the figures of one pair of models."""
    settings = load_settings(domains=DOMAIN, interval_seconds=1, **more)
    chosen = choose_models([by_name(DOMAIN)], settings)
    detector, embedder = chosen[DOMAIN, ROLE], chosen[DOMAIN, EMBEDDER]
    with Analyzer(settings) as analyzer:
        found = [*finding(analyzer), *by_width(analyzer)]
    with Analyzer(settings.model_copy(update={"interval_seconds": 0.5})) as analyzer:
        compared = list(comparing(faces_of(analyzer), SAME_PERSON[embedder.decoder]))
    return {detector.name: found, embedder.name: compared}


def main() -> None:
    """Measure, and write the figures down."""
    measured.write(DOMAIN, measure() | measure(**OTHERS), SOURCE)
    print(measured.as_json(measured.read(DOMAIN)))


if __name__ == "__main__":
    main()
