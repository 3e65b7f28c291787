"""What holds for every model of the project."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from model_zoo.cards import card
from model_zoo.catalog import catalog
from model_zoo.manifest import PACKAGE, ModelSpec
from model_zoo.sources.local import path_of
from model_zoo.weights import WeightPlaces, ensure, licence_texts
from serve.backends.front import with_front
from serve.settings import load_settings
from tests.conftest import ROOT

LARGEST_REPO_FILE_BYTES = 12_000_000
MOST_REPO_BYTES = 50_000_000
ANY_SIDE = 96  # where the network takes any length

SPECS = catalog()
every_model = pytest.mark.parametrize("spec", SPECS, ids=[spec.name for spec in SPECS])
# what only the open internet has is checked by its sha256 when a user fetches it, and by the tests of its decoder
every_onnx_model_at_hand = pytest.mark.parametrize(
    "spec",
    [spec for spec in SPECS if spec.format == "onnx" and spec.sources[0][0].scheme in {"repo", "pypi", "npm"}],
    ids=lambda spec: spec.name,
)
every_repo_model = pytest.mark.parametrize(
    "spec",
    [spec for spec in SPECS if spec.sources[0][0].scheme == "repo"],
    ids=lambda spec: spec.name,
)


def places() -> WeightPlaces:
    settings = load_settings()
    return settings.weight_places()


def three_rows(spec: ModelSpec) -> np.ndarray:
    """Return three black pictures, silent windows or texts without a known word, as the file takes them."""
    if spec.text:
        return np.ones((3, spec.text.most_tokens), np.int64)
    if spec.sound:
        return np.zeros((3, spec.sound.samples), np.float32)
    size = (spec.input.height or ANY_SIDE, spec.input.width or ANY_SIDE)
    return np.zeros((3, 3, *size) if spec.input.layout == "NCHW" else (3, *size, 3), spec.input.dtype)


@every_model
def test_a_model_has_a_card_without_gaps(spec: ModelSpec) -> None:
    text = card(spec)
    assert spec.licence.weights in text
    assert spec.upstream_quality, "say what upstream publishes, or that it publishes nothing"
    assert "None" not in text


@every_model
def test_labels_are_there(spec: ModelSpec) -> None:
    assert spec.labels or spec.role == "embedder" or {"embedding", "words"} & set(spec.outputs)
    assert all(label.strip() == label and label for label in spec.labels)


@pytest.mark.weights
@every_onnx_model_at_hand
def test_the_file_takes_and_gives_what_the_manifest_says(spec: ModelSpec) -> None:
    path = ensure(spec, places())
    content = with_front(spec, path) if spec.text else str(path)  # a text model's front removes inputs
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    rows = three_rows(spec)
    assert taken.name == (spec.input or spec.sound or spec.text).name
    types = {"uint8": "tensor(uint8)", "float32": "tensor(float)", "int64": "tensor(int64)"}
    assert taken.type == types[rows.dtype.name]
    assert set(spec.outputs) <= {output.name for output in session.get_outputs()}
    outputs = session.run(list(spec.outputs), {taken.name: rows})
    assert [len(output) for output in outputs] == [3] * len(spec.outputs)  # any number of rows, one output row each


@every_repo_model
def test_a_file_in_the_project_is_what_its_recipe_made(spec: ModelSpec) -> None:
    path = path_of(spec.sources[0][0], spec.manifest)
    made = json.loads(path.with_suffix(".json").read_text())
    assert spec.conversion is not None
    assert hashlib.sha256(path.read_bytes()).hexdigest() == spec.sha256 == made["sha256"]
    assert path.stat().st_size == spec.size_bytes == made["size_bytes"] <= LARGEST_REPO_FILE_BYTES
    assert spec.conversion.recipe == made["recipe"]
    assert spec.conversion.source_sha256 == made["source_sha256"]
    assert spec.conversion.parity_max_abs == made["parity_max_abs"]
    assert (ROOT / spec.conversion.recipe).is_file()
    assert licence_texts(path)


def test_the_files_in_the_project_stay_small() -> None:
    assert sum(path.stat().st_size for path in Path(PACKAGE).glob("*/weights/*")) <= MOST_REPO_BYTES


@pytest.mark.parametrize("domain", sorted({spec.domain for spec in SPECS}))
def test_a_domain_with_models_has_a_default(domain: str) -> None:
    assert any(spec.default for spec in SPECS if spec.domain == domain)
