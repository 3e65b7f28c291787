"""Model cards: everything that a person must know before using a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_zoo.cards import card
from model_zoo.catalog import catalog, named
from model_zoo.errors import ManifestError
from tests.unit.weights_fixtures import tiny


def test_a_card_says_where_the_weights_are_from_and_what_they_may_be_used_for() -> None:
    (nudenet,) = named(["nudenet_320n"], catalog())
    text = card(nudenet)
    for part in (
        "pypi:nudenet==3.4.2#nudenet/320n.onnx",
        nudenet.sha256,
        "AGPL-3.0-only",
        "Exposed Female Genitalia: trained detector",
        "320 x 320",
        "python -m benchmarks.moderation_quality",
    ):
        assert part in text


def test_a_card_of_a_converted_model_says_how_it_was_made() -> None:
    (nanodet,) = named(["nanodet_g_416"], catalog())
    text = card(nanodet)
    assert "export/recipes/nanodet_g_416.py" in text
    assert "| mAP 0.5:0.95 | 22.9 | COCO val2017 |" in text


def test_a_card_says_which_side_of_the_input_may_have_any_length() -> None:
    (recogniser,) = named(["ppocr_v4_rec"], catalog())
    assert "any x 48 pixels" in card(recogniser)


def test_a_card_of_a_model_that_hears_says_what_it_takes_and_by_which_route_it_came() -> None:
    (yamnet,) = named(["yamnet"], catalog())
    text = card(yamnet)
    assert "`waveform`: float32, mono, -1..1, 16000 samples per second" in text
    assert "windows of 0.975 s (15600 samples), one every 0.48 s" in text
    assert "carries no licence text of its own" in text


def test_measured_quality_is_shown_where_it_was_written_down(tmp_path: Path) -> None:
    spec = tiny(tmp_path, "file:tiny.onnx")
    figures = {"tiny": [{"metric": "AUC", "value": 0.975, "dataset": "40 pictures", "source": "make golden"}]}
    (tmp_path / "measured.json").write_text(json.dumps(figures))
    assert "| AUC | 0.975 | 40 pictures | make golden |" in card(spec)


def test_a_broken_measurement_file_is_named(tmp_path: Path) -> None:
    spec = tiny(tmp_path, "file:tiny.onnx")
    (tmp_path / "measured.json").write_text('{"tiny": [{"value": 1}]}')
    with pytest.raises(ManifestError, match=r"measured\.json: tiny\.0\.metric: Field required"):
        card(spec)
