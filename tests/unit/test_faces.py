"""Faces, on real weights: found where a person sees them, told apart, known again, and nothing else taken for one."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from model_zoo import faces
from model_zoo.domain import Loaded, Options, Start
from model_zoo.errors import ManifestError
from model_zoo.faces.embedders import EMBEDDERS
from model_zoo.faces.schema import FacesPart
from model_zoo.ops.image import Pyramid, warp
from serve.cli import app
from serve.pipeline import Analyzer
from serve.settings import load_settings
from tests.conftest import MEDIA
from tests.unit.faces_fixtures import (
    TRUTH,
    demo_frames,
    embedding_of,
    found_in,
    frames_of,
    laid_out,
    matched,
    models,
    qualities,
    seen,
    seen_in,
)

pytestmark = pytest.mark.weights

SAME_PERSON = EMBEDDERS["dlib_face"].same_person
SHOTS = TRUTH["demo"]["segments"]
DEMO_INTERVAL_SECONDS = 0.5


@pytest.fixture(scope="module")
def demo() -> FacesPart:
    settings = load_settings(domains="faces,shots", interval_seconds=DEMO_INTERVAL_SECONDS)
    with Analyzer(settings) as analyzer:
        part = analyzer.analyze(MEDIA / "demo.mp4").domains["faces"]
    assert isinstance(part, FacesPart)
    return part


@pytest.mark.parametrize("name", TRUTH["images"])
def test_the_faces_of_a_picture_are_found_and_nothing_else(name: str) -> None:
    marked = TRUTH["images"][name].get("faces", [])
    assert matched(seen_in(MEDIA / name), marked)


def test_the_faces_of_the_demo_are_where_a_person_sees_them() -> None:
    marked = {box["frame"]: [box["xywh"]] for shot in SHOTS for face in shot["faces"] for box in face["boxes"]}
    found = {number: found_in(frames)[0] for number, frames in demo_frames(set(marked)).items()}
    assert set(found) == set(marked)
    assert [frame for frame in marked if not matched(found[frame], marked[frame])] == []


def test_one_man_in_three_shots_is_one_person_and_the_others_are_two_more(demo: FacesPart) -> None:
    assert [person.id for person in demo.people] == ["person-1", "person-2", "person-3"]
    shown = [(person.first_seen_seconds, person.last_seen_seconds) for person in demo.people]
    expected = [(SHOTS[0]["start_s"], SHOTS[2]["end_s"]), *((SHOTS[i]["start_s"], SHOTS[i]["end_s"]) for i in (5, 7))]
    assert np.abs(np.array(shown) - np.array(expected)).max() <= 1.5 * DEMO_INTERVAL_SECONDS
    man = demo.people[0]
    assert len(man.tracks) == 3
    assert man.seconds_on_screen == pytest.approx(7.0, abs=DEMO_INTERVAL_SECONDS)


def test_the_dog_the_rabbit_and_the_cat_of_the_demo_are_nobody(demo: FacesPart) -> None:
    without = [(shot["start_s"], shot["end_s"]) for shot in SHOTS if not shot["faces"]]
    for track in demo.tracks:
        for point in track.points:
            assert not any(start <= point.seconds < end for start, end in without)


def test_the_best_face_of_a_person_is_one_of_its_faces(demo: FacesPart) -> None:
    for person in demo.people:
        points = [point for number in person.tracks for point in demo.tracks[number].points]
        assert person.faces == len(points)
        assert (person.best.seconds, person.best.box) in [(point.seconds, point.box) for point in points]
        assert all(0 <= place.x <= 1 and 0 <= place.y <= 1 for place in person.best.landmarks)
        eye, nose = person.best.landmarks[0], person.best.landmarks[4]
        assert eye.y < nose.y


def test_segments_tell_when_anybody_and_when_each_person_was_there(demo: FacesPart) -> None:
    assert {segment.label for segment in demo.segments} == {"face", "person-1", "person-2", "person-3"}
    assert demo.faces == demo.recognisable_faces == sum(len(track.points) for track in demo.tracks)


def test_the_same_person_is_near_and_others_are_far() -> None:
    identities = TRUTH["faces"]["identities"]
    embeddings = {name: embedding_of(MEDIA / name) for name in identities}
    for pair in TRUTH["faces"]["pairs"]:
        distance = np.linalg.norm(embeddings[pair["a"]] - embeddings[pair["b"]])
        assert (distance <= SAME_PERSON) == pair["same"], (pair["a"], pair["b"], distance)


def test_a_profile_is_found_but_not_compared() -> None:
    seen = seen_in(MEDIA / "images" / "cameraman.png")
    (quality,) = qualities(seen)
    assert quality.yaw_degrees > 50
    assert np.isnan(seen.arrays["embedding"]).all()


def test_a_tilted_face_keeps_its_embedding() -> None:
    with av.open(str(MEDIA / "images" / "grace_hopper.jpg")) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    angle = np.radians(25)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([256.0, 250.0])
    turned = warp(Pyramid(picture), np.column_stack([turn, middle - turn @ middle]), 512, 512)
    (prediction,) = seen(laid_out(turned))
    upright = embedding_of(MEDIA / "images" / "grace_hopper.jpg")
    assert np.linalg.norm(prediction.arrays["embedding"][0] - upright) < 0.3


def test_without_biometrics_faces_are_counted_and_nobody_is_known_again() -> None:
    settings = load_settings(domains="faces", biometrics=False)
    with Analyzer(settings) as analyzer:
        report = analyzer.analyze(MEDIA / "demo.mp4")
    part = report.domains["faces"]
    assert isinstance(part, FacesPart)
    assert (part.people, part.biometrics) == ([], False)
    assert part.faces >= 13
    assert {track.person for track in part.tracks} == {None}
    assert {segment.label for segment in part.segments} == {"face"}
    assert "person-" not in report.model_dump_json()


def test_without_biometrics_no_embedding_is_ever_made() -> None:
    loaded = {role: ready.loaded() for role, ready in models().items()}
    (watcher,) = faces.DOMAIN.start(Start(loaded, 1.0, Options(biometrics=False)))
    (frames,) = frames_of(MEDIA / "images" / "astronaut.jpg")
    assert set(watcher.predict(frames)[0].arrays) == {"points", "quality"}


def test_a_report_never_holds_an_embedding_not_even_with_every_frame(tmp_path: Path) -> None:
    picture = str(MEDIA / "images" / "astronaut.jpg")
    words = ["analyze", picture, "--domains", "faces", "--frame-detail", "--out", str(tmp_path)]
    for more, people in (["--biometrics"], 1), (["--no-biometrics"], 0):
        assert CliRunner().invoke(app, words + more).exit_code == 0
        text = (tmp_path / "report.json").read_text("utf-8")
        part = json.loads(text)["domains"]["faces"]
        assert (len(part["people"]), len(part["frames"])) == (people, 1)
        assert "embedding" not in text


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (2000, 5), (64, 64)])
def test_pictures_of_any_shape_are_looked_at(size: tuple[int, int]) -> None:
    assert seen(laid_out(np.full((*size, 3), 90, np.uint8)))[0].boxes == ()


def test_a_decoder_that_faces_do_not_have_is_refused_by_name() -> None:
    loaded = {role: ready.loaded() for role, ready in models().items()}
    for role, message in (("detector", r"mtcnn.*blazeface_full_range"), ("embedder", r"mtcnn.*dlib_face")):
        spec = loaded[role].spec.model_copy(update={"decoder": "mtcnn"})
        with pytest.raises(ManifestError, match=message):
            faces.DOMAIN.start(Start(loaded | {role: Loaded(spec, loaded[role].model)}, 1.0))


@pytest.mark.media
def test_small_faces_of_a_crowd_are_found(rich_media: Path) -> None:
    path = rich_media / "video" / "five-second-marathon-clip.mkv"
    counts = [len(row.boxes) for frames in frames_of(path, 1.0) for row in found_in(frames)]
    assert min(counts) >= 5


@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "count"), [("faces/two_people.jpg", 2), ("images/race.jpg", 6), ("images/dog-human.jpg", 1)]
)
def test_every_person_and_no_dog_of_a_picture_is_found(rich_media: Path, name: str, count: int) -> None:
    assert len(seen_in(rich_media / name).boxes) == count


@pytest.mark.media
def test_labelled_pairs_of_photographs_are_told_apart(rich_media: Path) -> None:
    truth = json.loads((rich_media / "ground_truth.json").read_text("utf-8"))
    for one, other, same in truth["face_pairs"]:
        distance = np.linalg.norm(embedding_of(rich_media / one) - embedding_of(rich_media / other))
        assert (distance <= SAME_PERSON) == bool(same)
