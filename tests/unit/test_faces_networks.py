"""Detectors and embedders that a user opts into: their outputs are read as their authors read them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model_zoo import faces
from model_zoo.catalog import catalog, named
from model_zoo.faces.detectors import DETECTORS, STRIDES, scrfd, yunet
from model_zoo.faces.embedders import ARCFACE_POINTS, EMBEDDERS, Spots, arcface_chip
from model_zoo.faces.looking import finder, recogniser
from model_zoo.faces.schema import FacesPart
from model_zoo.manifest import ModelSpec
from model_zoo.ops.image import Pyramid
from model_zoo.values import Tensors
from serve.backends.onnx import OnnxModel
from serve.models import Ready, load_models
from serve.pipeline import Analyzer
from serve.settings import load_settings
from tests.conftest import MEDIA
from tests.unit.faces_fixtures import TRUTH, frames_of, matched

SIDE = 640
OPTED = {"models": "faces.detector=scrfd_500m,faces.embedder=arcface_mobilefacenet", "licences": "any"}

weights = pytest.mark.weights


def spec_of(name: str) -> ModelSpec:
    (spec,) = named([name], catalog())
    return spec


@cache
def opted() -> dict[str, Ready]:
    """Load SCRFD and ArcFace once."""
    return load_models([faces.DOMAIN], load_settings(threads=2, **OPTED), ThreadPoolExecutor(2))["faces"]


def embedding_of(path: Path) -> NDArray[np.float32]:
    """Return what ArcFace says of the one face that SCRFD finds in a picture."""
    look = recogniser(opted()["detector"].loaded(), opted()["embedder"].loaded())
    (frames,) = frames_of(path)
    (row,) = look(frames)[0].arrays["embedding"]
    return np.asarray(row)


def noise(names: tuple[str, ...], numbers: tuple[int, ...], anchors: int, rows: int = 1) -> Tensors:
    """Return outputs (rows, A, n) of three strides for each kind of number, as random as networks never are."""
    random = np.random.default_rng(7)
    return {
        name: random.uniform(0, 1, (rows, anchors * (SIDE // STRIDES[place % 3]) ** 2, numbers[place // 3])).astype(
            np.float32
        )
        for place, name in enumerate(names)
    }


@weights
@pytest.mark.parametrize("name", TRUTH["images"])
def test_scrfd_finds_the_faces_of_a_picture_and_nothing_else(name: str) -> None:
    (frames,) = frames_of(MEDIA / name)
    assert matched(finder(opted()["detector"].loaded())(frames)[0], TRUTH["images"][name].get("faces", []))


@weights
def test_arcface_tells_people_apart_and_knows_them_again() -> None:
    embeddings = {name: embedding_of(MEDIA / name) for name in TRUTH["faces"]["identities"]}
    for pair in TRUTH["faces"]["pairs"]:
        distance = np.linalg.norm(embeddings[pair["a"]] - embeddings[pair["b"]])
        assert (distance <= EMBEDDERS["arcface"].same_person) == pair["same"], (pair["a"], pair["b"], distance)


@weights
def test_a_video_has_the_same_people_with_the_networks_that_a_user_opted_into() -> None:
    with Analyzer(load_settings(domains="faces,shots", interval_seconds=0.5, **OPTED)) as analyzer:
        report = analyzer.analyze(MEDIA / "demo.mp4")
    part = report.domains["faces"]
    assert isinstance(part, FacesPart)
    known = [person for person in part.people if person.seconds_on_screen > 2]
    shots = TRUTH["demo"]["segments"]
    assert [round(person.first_seen_seconds) for person in known] == [round(shots[i]["start_s"]) for i in (0, 5, 7)]
    assert {one.source for one in part.coverage if one.source} == {"faces/scrfd_500m", "faces/arcface_mobilefacenet"}


@pytest.mark.parametrize("name", ["scrfd_500m", "scrfd_10g", "arcface_mobilefacenet", "arcface_r50"])
def test_the_packs_of_insightface_need_a_users_decision(name: str) -> None:
    spec = spec_of(name)
    assert not spec.licence.commercial
    assert not spec.default


def test_scrfd_is_read_as_distances_from_the_corner_of_a_cell() -> None:
    spec = spec_of("scrfd_500m")
    outputs = {name: np.zeros_like(row) for name, row in noise(spec.outputs, (1, 4, 10), anchors=2).items()}
    row, column, stride = 3, 5, 16
    cell = 2 * (row * SIDE // stride + column) + 1  # the second candidate of the cell
    outputs["score_16"][0, cell] = 0.9
    outputs["bbox_16"][0, cell] = [1, 2, 3, 4]  # strides to the left, up, right, down
    outputs["kps_16"][0, cell] = np.arange(10) / 4
    found = scrfd(outputs, spec)
    best = int(found.scores[0].argmax())
    assert found.scores[0, best] == np.float32(0.9)
    assert found.boxes[0, best].tolist() == [80 - 16, 48 - 32, 80 + 48, 48 + 64]
    eye, nose, mouth, left_corner, right_corner = found.keypoints[0, best][[0, 2, 3, 4, 5]]
    assert eye.tolist() == [80.5, 48 + 4 + 0.5]
    assert nose.tolist() == [80 + 16 + 0.5, 48 + 20 + 0.5]
    assert mouth.tolist() == ((left_corner + right_corner) / 2).tolist()


def test_scrfd_is_read_alike_where_its_file_does_not_tell_rows_apart() -> None:
    spec = spec_of("scrfd_500m")
    outputs = noise(spec.outputs, (1, 4, 10), anchors=2, rows=3)
    flat = {name: rows.reshape(-1, rows.shape[-1]) for name, rows in outputs.items()}
    told, flatly = scrfd(outputs, spec), scrfd(flat, spec)
    assert told.scores.shape == (3, 2 * (80**2 + 40**2 + 20**2))
    for name in ("scores", "boxes", "keypoints"):
        assert np.array_equal(getattr(told, name), getattr(flatly, name))


def test_yunet_is_read_as_opencv_reads_it(tmp_path: Path) -> None:
    spec = spec_of("yunet")
    outputs = noise(spec.outputs, (1, 1, 4, 10), anchors=1)
    least = 0.9
    path = tmp_path / "said.onnx"
    onnx.save(saying(spec, outputs), path)
    detector = cv2.FaceDetectorYN.create(str(path), "", (SIDE, SIDE), least, 1.0, 5000)
    theirs = detector.detect(np.zeros((SIDE, SIDE, 3), np.uint8))[1]  # x, y, width, height, five points, score
    ours = yunet(outputs, spec)
    kept = np.flatnonzero(ours.scores[0] >= least)
    kept = kept[np.argsort(-ours.scores[0, kept], kind="stable")]
    assert len(kept) == len(theirs) > 10
    boxes, points = ours.boxes[0, kept], ours.keypoints[0, kept][:, [0, 1, 2, 4, 5]] - 0.5
    order = np.argsort(-theirs[:, 14], kind="stable")
    assert ours.scores[0, kept] == pytest.approx(theirs[order, 14], abs=1e-5)
    assert np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1) == pytest.approx(
        theirs[order, :4], abs=1e-2
    )
    assert points.reshape(-1, 10) == pytest.approx(theirs[order, 4:14], abs=1e-2)


def saying(spec: ModelSpec, outputs: Tensors) -> onnx.ModelProto:
    """Return a network that says the same of every picture."""
    nodes, constants, infos = [], [], []
    nodes.append(helper.make_node("ReduceMean", ["input"], ["mean"], keepdims=0))
    nodes.append(helper.make_node("Sub", ["mean", "mean"], ["nothing"]))
    for name, value in outputs.items():
        constants.append(numpy_helper.from_array(value, f"{name}_said"))
        nodes.append(helper.make_node("Add", [f"{name}_said", "nothing"], [name]))
        infos.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape))
    taken = helper.make_tensor_value_info(spec.input_name, TensorProto.FLOAT, [1, 3, SIDE, SIDE])
    graph = helper.make_graph(nodes, "said", [taken], infos, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize("corners", [True, False])
def test_the_chip_of_arcface_has_the_eyes_where_the_network_expects_them(corners: bool) -> None:
    angle, size = 0.3, 1.7
    turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = ARCFACE_POINTS @ turn.T + [90, 40]
    picture = np.zeros((400, 400, 3), np.uint8)
    for x, y in points[:2]:
        cv2.circle(picture, (round(x), round(y)), 5, (255, 255, 255), -1)
    keypoints = np.vstack([points[:3], points[3:].mean(axis=0), points[3:] if corners else points[:2]])
    spots = Spots(np.empty((150, 150, 3), np.uint8), keypoints, mouth_corners=corners)
    cut = arcface_chip(Pyramid(picture), spots)
    assert cut.shape == (112, 112, 3)
    for x, y in ARCFACE_POINTS[:2]:
        assert cut[round(y), round(x), 0] > 200
    assert cut.mean() < 10


def test_the_chip_of_sface_is_what_opencv_cuts_out(tmp_path: Path) -> None:
    path = tmp_path / "any.onnx"
    onnx.save(saying(spec_of("yunet"), {"said": np.zeros((1, 128), np.float32)}), path)
    picture = cv2.GaussianBlur(cv2.imread(str(MEDIA / "images" / "astronaut.jpg")), (0, 0), 2)
    points = np.array([[207.0, 108.0], [241.0, 105.0], [226.0, 129.0], [213.0, 147.0], [240.0, 144.0]])
    row = np.concatenate([[172, 74, 105, 105], points.ravel(), [1]]).astype(np.float32)
    theirs = cv2.FaceRecognizerSF.create(str(path), "").alignCrop(picture, row)
    keypoints = np.vstack([points[:3], points[3:].mean(axis=0), points[3:]])
    ours = arcface_chip(Pyramid(picture), Spots(np.empty((150, 150, 3), np.uint8), keypoints, mouth_corners=True))
    assert theirs.std() > 30
    assert np.abs(ours.astype(int) - theirs).mean() < 1


def test_every_detector_says_how_far_its_boxes_are_from_those_of_the_landmarks() -> None:
    known = {spec.decoder for spec in catalog() if (spec.domain, spec.role) == ("faces", "detector")}
    assert known == set(DETECTORS)


@pytest.mark.parametrize("decoder", ["arcface", "sface"])
def test_of_the_networks_that_compare_directions_all_embeddings_have_length_1(decoder: str) -> None:
    said = np.array([[3.0, 4.0], [0.0, 0.0], [-0.1, 0.0]], np.float32)
    told = EMBEDDERS[decoder].told(said)
    assert np.linalg.norm(told, axis=1) == pytest.approx([1, 0, 1])
    assert EMBEDDERS["dlib_face"].told(said) is said


def test_a_network_of_one_row_a_time_is_given_one_row_a_time(tmp_path: Path) -> None:
    spec = spec_of("yunet")
    outputs = noise(spec.outputs, (1, 1, 4, 10), anchors=1)
    path = tmp_path / "said.onnx"
    onnx.save(saying(spec, outputs), path)
    with ThreadPoolExecutor(4) as executor:
        model = OnnxModel(spec, path, executor, threads=4)
        for rows in (1, 3, 5):
            told = yunet(model.run({spec.input_name: np.zeros((rows, SIDE, SIDE, 3), np.uint8)}), spec)
            assert told.scores.shape == (rows, 8400)
