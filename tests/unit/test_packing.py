"""Packed weights: what SageMaker unpacks, and what fills the cache of a machine without a network."""

from __future__ import annotations

import json
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from model_zoo.manifest import ModelSpec
from model_zoo.packing import pack
from model_zoo.weights import WeightPlaces, ensure, ensure_all, licence_texts
from tests.archives import unpack
from tests.unit.weights_fixtures import CONTENT, places_in, tiny, tiny_with_tokenizer


@pytest.fixture
def specs(tmp_path: Path) -> list[ModelSpec]:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("weights", CONTENT)
        archive.writestr("LICENSE", "do as you please")
    return [tiny(tmp_path, "file:all.zip#weights", name=name) for name in ("second", "first")]


def packed(specs: list[ModelSpec], folder: Path) -> Path:
    folder.mkdir()
    pack(specs, ensure_all(specs, places_in(folder)), folder / "model.tar.gz")
    return folder / "model.tar.gz"


def test_a_bundle_holds_weights_licences_and_a_list(specs: list[ModelSpec], tmp_path: Path) -> None:
    with tarfile.open(packed(specs, tmp_path / "a")) as bundle:
        assert bundle.getnames() == [
            "MANIFEST.json",
            "first/LICENSE.json",
            "first/LICENSES/LICENSE",
            "first/first.onnx",
            "second/LICENSE.json",
            "second/LICENSES/LICENSE",
            "second/second.onnx",
        ]
        assert all(member.isfile() for member in bundle)
        listed = bundle.extractfile("MANIFEST.json")
        assert listed is not None
        entry = json.load(listed)[0]
    assert entry["file"] == "first/first.onnx"
    assert entry["sha256"] == specs[0].sha256
    assert entry["licence"] == "MIT"


def test_a_bundle_holds_the_further_files_of_a_model(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("inside/weights", CONTENT)
        archive.writestr("inside/tokenizer.json", b"{}")
    spec = tiny_with_tokenizer(tmp_path, "all.zip", b"{}")
    with tarfile.open(packed([spec], tmp_path / "a")) as bundle:
        assert {"tiny/tiny.onnx", "tiny/tokenizer.json"} <= set(bundle.getnames())
        unpack(bundle, tmp_path / "unpacked")
    (tmp_path / "all.zip").unlink()
    path = ensure(spec, WeightPlaces(tmp_path / "unpacked", tmp_path / "no", offline=True))
    assert path == tmp_path / "unpacked" / "tiny" / "tiny.onnx"


def test_the_same_weights_give_the_same_bundle(specs: list[ModelSpec], tmp_path: Path) -> None:
    again = packed(specs[::-1], tmp_path / "b").read_bytes()
    assert packed(specs, tmp_path / "a").read_bytes() == again


@pytest.mark.parametrize("folder", ["model_dir", "cache"])
def test_an_unpacked_bundle_is_enough_without_a_network(specs: list[ModelSpec], tmp_path: Path, folder: str) -> None:
    (tmp_path / "unpacked").mkdir()
    command = ["tar", "-xzf", packed(specs, tmp_path / "a"), "-C", tmp_path / "unpacked"]  # as the error message says
    subprocess.run(command, check=True)
    nowhere = {"model_dir": tmp_path / "no", "cache": tmp_path / "nor"}
    places = WeightPlaces(**(nowhere | {folder: tmp_path / "unpacked"}), offline=True)
    (tmp_path / "all.zip").unlink()
    for spec in specs:
        path = ensure(spec, places)
        assert path == tmp_path / "unpacked" / spec.name / spec.file_name
        assert licence_texts(path)


def test_an_unfinished_bundle_is_not_left_behind(specs: list[ModelSpec], tmp_path: Path) -> None:
    out = tmp_path / "out" / "model.tar.gz"
    with pytest.raises(FileNotFoundError):
        pack(specs, {"first": tmp_path / "gone", "second": tmp_path / "gone"}, out)
    assert list(out.parent.iterdir()) == []
