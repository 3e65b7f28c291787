"""Other precisions are served where their export proved them, and never without a word."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from model_zoo.errors import WeightsError
from model_zoo.precisions import exported, kept_at, names
from model_zoo.weights import WeightPlaces
from serve.backends.choose import place_model
from serve.backends.place import WantedPrecision, Wishes
from serve.devices import Look
from tests.contract.test_every_backend import SIZE, mean_of_channels, spec_of

SPEC = spec_of()
NO_GPU = Look(None, "no NVIDIA driver was found")


@pytest.fixture
def places(tmp_path: Path) -> WeightPlaces:
    return WeightPlaces(tmp_path / "model", tmp_path / "cache")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    (tmp_path / "weights").mkdir()
    return mean_of_channels(tmp_path / "weights" / "mean.onnx", TensorProto.UINT8, [1, 2], ["batch", SIZE, SIZE, 3])


def keep(folder: Path, precision: str = "fp16", **changes: Any) -> Path:
    """Lay down what `python -m export --keep` writes."""
    folder.mkdir(parents=True, exist_ok=True)
    file, proof = (folder / name for name in names(SPEC, precision))
    mean_of_channels(file, TensorProto.UINT8, [1, 2], ["batch", SIZE, SIZE, 3])
    facts = {
        "source_sha256": SPEC.sha256,
        "file_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "gate": "change of a final score",
        "moved": 0.0004,
        "rows": 24,
    }
    proof.write_text(json.dumps(facts | changes))
    return file


def place(weights: Path, places: WeightPlaces, precision: WantedPrecision) -> Any:
    with ThreadPoolExecutor(1) as executor:
        placed = place_model(SPEC, weights, Wishes(places, precision=precision), executor, 1, NO_GPU)
        pixels = np.random.default_rng(3).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
        np.testing.assert_allclose(placed.model.run({"pixels": pixels})["scores"], pixels.mean(axis=(1, 2)), rtol=1e-5)
        return placed


@pytest.mark.parametrize("where", ["kept", "beside", "model_dir"])
def test_a_proved_precision_is_found_where_the_weights_are(places: WeightPlaces, weights: Path, where: str) -> None:
    folders = {
        "kept": kept_at(SPEC, places),
        "beside": weights.parent,
        "model_dir": places.model_dir / SPEC.name,
    }
    file = keep(folders[where])
    variant = exported(SPEC, "fp16", weights, places)
    assert variant.path == file
    assert variant.reason == "fp16: exported; change of a final score: 0.0004 of 0.01 allowed"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"moved": 0.02}, "moves too far: change of a final score: 0.02, 0.01 is allowed"),
        ({"source_sha256": "1" * 64}, "was made from other weights than those of the manifest"),
        ({"file_sha256": "1" * 64}, "is not the file that its parity was shown of"),
        ({"moved": "far"}, "has no proof of its parity beside it"),
    ],
)
def test_what_is_not_proved_is_refused(
    places: WeightPlaces, weights: Path, changes: dict[str, Any], reason: str
) -> None:
    keep(kept_at(SPEC, places), **changes)
    with pytest.raises(WeightsError, match=reason):
        exported(SPEC, "fp16", weights, places)


def test_a_file_without_its_proof_is_refused(places: WeightPlaces, weights: Path) -> None:
    keep(kept_at(SPEC, places)).with_name(names(SPEC, "fp16")[1]).unlink()
    with pytest.raises(WeightsError, match="has no proof of its parity beside it"):
        exported(SPEC, "fp16", weights, places)


def test_a_precision_that_the_manifest_does_not_allow_is_refused(places: WeightPlaces, weights: Path) -> None:
    keep(kept_at(SPEC, places))
    spec = SPEC.model_copy(update={"precisions": {"fp32": SPEC.precisions["fp32"]}})
    with pytest.raises(WeightsError, match=r"`precisions` of \[mean\] does not allow fp16"):
        exported(spec, "fp16", weights, places)


def test_an_asked_precision_is_run_and_the_report_says_why_it_may_be(places: WeightPlaces, weights: Path) -> None:
    keep(kept_at(SPEC, places), "int8", moved=0.031)
    placed = place(weights, places, "int8")
    assert placed.precision == "int8"
    assert placed.reason.endswith("; int8: exported; change of a final score: 0.031 of 0.05 allowed")


def test_an_asked_precision_that_is_not_here_is_fp32_with_the_reason(places: WeightPlaces, weights: Path) -> None:
    placed = place(weights, places, "fp16")
    assert placed.precision == "fp32"
    assert placed.reason.endswith("; fp32: no fp16 file is here: run `python -m export test/mean --to fp16 --keep`")


@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_on_a_cpu_fp32_is_what_is_run_unless_another_is_asked_for(
    places: WeightPlaces, weights: Path, precision: WantedPrecision
) -> None:
    keep(kept_at(SPEC, places))
    placed = place(weights, places, precision)
    assert placed.precision == "fp32"
    assert placed.reason == "cpu: no NVIDIA driver was found; onnxruntime: the only backend"
