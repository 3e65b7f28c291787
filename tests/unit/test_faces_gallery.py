"""Galleries: people are named from pictures, and a gallery of another model is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from model_zoo.catalog import catalog, named
from model_zoo.errors import GalleryError, UsageError
from model_zoo.faces import gallery
from model_zoo.faces.schema import FacesPart
from serve.cli import app
from serve.gallery import build
from serve.pipeline import Analyzer
from serve.settings import load_settings
from tests.conftest import MEDIA

DETECTOR, SPEC = (named([name], catalog())[0] for name in ("blazeface_full_range", "dlib_face_resnet"))
ROW = np.linspace(-0.2, 0.2, 128, dtype=np.float32)

weights = pytest.mark.weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a mirrored crop of the astronaut and a crop of the admiral."""
    for name, picture in (("Eileen Collins", "astronaut_mirrored.jpg"), ("Grace Hopper", "grace_hopper_crop.jpg")):
        (tmp_path / "known" / name).mkdir(parents=True)
        shutil.copy(MEDIA / "faces" / picture, tmp_path / "known" / name)
    return tmp_path / "known"


def faces_of(path: Path, known: Path) -> FacesPart:
    with Analyzer(load_settings(domains="faces", gallery=known)) as analyzer:
        report = analyzer.analyze(path)
    part = report.domains["faces"]
    assert isinstance(part, FacesPart)
    return part


def names(part: FacesPart) -> list[str | None]:
    return [person.match.name if person.match else None for person in part.people]


@weights
def test_people_of_the_demo_are_named_from_a_folder_and_the_unknown_man_is_not(folder: Path) -> None:
    part = faces_of(MEDIA / "demo.mp4", folder)
    assert names(part) == [None, "Eileen Collins", "Grace Hopper"]
    assert {segment.label for segment in part.segments} == {"face", "person-1", "Eileen Collins", "Grace Hopper"}
    assert part.gallery is not None
    assert (part.gallery.names, part.gallery.pictures) == (2, 2)


@weights
def test_a_built_gallery_names_the_same_people_as_its_folder(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "gallery.json"
    answer = CliRunner().invoke(app, ["gallery", "build", str(folder), "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    assert "2 pictures of 2 people" in answer.output
    picture = MEDIA / "images" / "astronaut.jpg"
    from_file, from_folder = faces_of(picture, out), faces_of(picture, folder)
    assert names(from_file) == names(from_folder) == ["Eileen Collins"]
    assert from_file.people[0].match == from_folder.people[0].match


@weights
def test_a_picture_without_one_good_face_is_left_out_and_named(folder: Path) -> None:
    shutil.copy(MEDIA / "images" / "cat.png", folder / "Grace Hopper" / "cat.png")
    out = folder.parent / "gallery.json"
    answer = CliRunner().invoke(app, ["gallery", "build", str(folder), "--out", str(out)])
    known = gallery.read(out, DETECTOR, SPEC).known
    assert [one.picture for one in known] == ["astronaut_mirrored.jpg", "grace_hopper_crop.jpg"]
    assert f"left out: {folder / 'Grace Hopper' / 'cat.png'}: shows no faces" in answer.stderr


@weights
def test_the_file_of_a_gallery_is_for_its_owner_alone(folder: Path) -> None:
    out = folder.parent / "gallery.json"
    assert CliRunner().invoke(app, ["gallery", "build", str(folder), "--out", str(out)]).exit_code == 0
    assert out.stat().st_mode & 0o777 == 0o600


@weights
def test_what_gets_into_logs_says_no_name_of_a_gallery(folder: Path, tmp_path: Path) -> None:
    shutil.copy(MEDIA / "images" / "cat.png", folder / "Grace Hopper" / "Grace.png")
    with pytest.raises(GalleryError, match=r"picture 1 of person 2 of 2: shows no faces; .* says which") as caught:
        Analyzer(load_settings(domains="faces", gallery=folder))
    assert "Grace" not in str(caught.value)


@weights
def test_a_name_without_a_usable_picture_is_an_error(folder: Path) -> None:
    (folder / "Nobody").mkdir()
    shutil.copy(MEDIA / "images" / "cat.png", folder / "Nobody")
    told: list[tuple[Path, str, str]] = []
    with pytest.raises(GalleryError, match=r"person 3 of 3: no picture can be used"):
        build(folder, load_settings(), lambda *one: told.append(one))
    assert [(picture.name, reason) for picture, _, reason in told] == [
        ("cat.png", "shows no faces; use a picture of one person")
    ]


@weights
def test_a_profile_is_refused_as_a_picture_to_know_somebody_by(folder: Path) -> None:
    (folder / "Cameraman").mkdir()
    shutil.copy(MEDIA / "images" / "cameraman.png", folder / "Cameraman")
    with pytest.raises(GalleryError, match=r"person 1 of 3: .*turned too far"):
        Analyzer(load_settings(domains="faces", gallery=folder))


@pytest.mark.parametrize("empty", ["", "known/Somebody"])
def test_a_folder_without_pictures_is_named(tmp_path: Path, empty: str) -> None:
    (tmp_path / empty).mkdir(parents=True, exist_ok=True)
    with pytest.raises(GalleryError, match=r"no folder in it|no picture in it"):
        build(tmp_path / "known" if empty else tmp_path, load_settings(), lambda *_: None)


def test_a_gallery_is_the_same_after_a_journey_through_its_file(tmp_path: Path) -> None:
    made = gallery.make(DETECTOR, SPEC, {"Ann": {"a.jpg": ROW, "b.jpg": ROW + 1}, "Bob": {"a.jpg": -ROW}})
    path = tmp_path / "gallery.json"
    path.write_text(gallery.text(made), "utf-8")
    read = gallery.read(path, DETECTOR, SPEC)
    assert [(one.name, one.picture) for one in read.known] == [(one.name, one.picture) for one in made.known]
    assert all(np.allclose(a.embedding, b.embedding, atol=1e-6) for a, b in zip(read.known, made.known, strict=True))
    assert gallery.text(read) == gallery.text(made)


def test_a_gallery_of_another_model_is_refused_with_both_names(tmp_path: Path) -> None:
    path = tmp_path / "gallery.json"
    other = SPEC.model_copy(update={"name": "arcface", "sha256": "0" * 64})
    path.write_text(gallery.text(gallery.make(DETECTOR, other, {"Ann": {"a.jpg": ROW}})), "utf-8")
    with pytest.raises(GalleryError, match=r"arcface.*dlib_face_resnet.*reelwarden gallery build"):
        gallery.read(path, DETECTOR, SPEC)


def test_a_gallery_of_another_detector_is_refused_as_it_says_where_the_eyes_are(tmp_path: Path) -> None:
    path = tmp_path / "gallery.json"
    other = DETECTOR.model_copy(update={"name": "scrfd_10g", "sha256": "0" * 64})
    path.write_text(gallery.text(gallery.make(other, SPEC, {"Ann": {"a.jpg": ROW}})), "utf-8")
    with pytest.raises(GalleryError, match=r"scrfd_10g.*blazeface_full_range.*reelwarden gallery build"):
        gallery.read(path, DETECTOR, SPEC)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": "reelwarden.gallery/9"}, "schema_version"),
        ({"people": {}}, "people"),
        (
            {"people": {"Ann": [{"picture": "a.jpg", "embedding": [1.0, 2.0]}, {"picture": "b", "embedding": [1.0]}]}},
            "1, 2",
        ),
        ({"people": {"Ann": [{"picture": "a.jpg", "embedding": ["x"]}]}}, "embedding"),
        ({"people": {"Ann": [{"picture": "a.jpg", "embedding": [1.0, 2.0]}]}}, "2 numbers"),
    ],
)
def test_a_broken_gallery_is_refused_without_showing_what_is_in_it(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    path = tmp_path / "gallery.json"
    content = json.loads(gallery.text(gallery.make(DETECTOR, SPEC, {"Ann": {"a.jpg": ROW}})))
    path.write_text(json.dumps(content | change), "utf-8")
    with pytest.raises(GalleryError, match=said) as caught:
        gallery.read(path, DETECTOR, SPEC)
    assert "0.19" not in str(caught.value)
    assert "Ann" not in str(caught.value)


def test_a_missing_gallery_is_named(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match=r"nowhere\.json: the gallery cannot be read"):
        gallery.read(tmp_path / "nowhere.json", DETECTOR, SPEC)


@weights
def test_a_gallery_without_biometrics_is_a_contradiction(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"nobody is named without biometrics"):
        Analyzer(load_settings(domains="faces", gallery=folder, biometrics=False))
