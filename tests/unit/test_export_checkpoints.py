"""Checkpoints of training libraries: what is exported says what the library says, and can be used at once."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from export.__main__ import main
from model_zoo.errors import UsageError, WeightsError
from model_zoo.manifest import read
from serve.pipeline import Analyzer
from serve.settings import load_settings

LIBRARIES = ("torch", "torchvision", "transformers", "ultralytics", "onnxscript")
MISSING = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not installed: make export-check")
ROWS = "12"

Made = Callable[[str], tuple[list[str], Path]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return what writes a checkpoint and its fp32 file, once; it gives the arguments and the folder."""
    known: dict[str, tuple[list[str], Path]] = {}

    def make(name: str) -> tuple[list[str], Path]:
        if name not in known:
            from benchmarks.export_checkpoints import CHECKPOINTS

            folder = tmp_path_factory.mktemp(name)
            arguments = next(one for one in CHECKPOINTS if one.name == name).make(folder)
            arguments += ["--name", name, "--rows", ROWS, "--out", str(folder)]
            assert main([*arguments, "--to", "onnx"]) == 0
            known[name] = arguments, folder
        return known[name]

    return make


def report(folder: Path, name: str, precision: str = "fp32") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{name}.{precision}.parity.json").read_text())
    return found


@pytest.mark.parametrize("name", ["ssdlite320_mobilenet_v3_large", "yolov8n"])
def test_a_detector_finds_what_its_library_finds(name: str, made: Made) -> None:
    _, folder = made(name)
    found = report(folder, name)
    library = found["library"]
    assert library["boxes"] > 2  # the random networks of different processors do not find as many
    assert library["boxes_lost_or_new"] == 0
    assert library["scores_moved"] < 1e-3
    assert library["corners_moved"] < 0.1
    assert {change["output"]: change["share"] < 1e-4 for change in found["tensors"]} == {"scores": True, "boxes": True}


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "tiny_vit", "own_constructor", "own_torchscript"])
def test_a_classifier_says_what_its_library_says(name: str, made: Made) -> None:
    _, folder = made(name)
    found = report(folder, name)
    assert found["library"]["said"] >= int(ROWS)
    assert found["library"]["scores_moved"] < 1e-4
    assert 0 < found["tensors"][0]["largest"] < 1e-4


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "yolov8n"])
def test_the_batch_is_free_and_pictures_go_in_as_they_are(name: str, made: Made) -> None:
    _, folder = made(name)
    session = onnxruntime.InferenceSession(folder / f"{name}.fp32.onnx", providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    assert taken.type == "tensor(uint8)"
    rows = np.random.default_rng(0).integers(0, 255, (5, *taken.shape[1:]), np.uint8)
    together = session.run(None, {taken.name: rows})
    alone = session.run(None, {taken.name: rows[3:4]})
    for one, all_ in zip(alone, together, strict=True):
        np.testing.assert_allclose(one[0], all_[3], rtol=1e-3, atol=1e-3)


def test_a_swapped_colour_or_a_wrong_scale_is_noticed(made: Made, tmp_path: Path) -> None:
    """What torchvision was trained on is written into the graph; another scale says something else."""
    arguments, _ = made("mobilenet_v3_small")
    scaled = [*arguments, "--std", "255,255,255", "--mean", "0,0,0", "--out", str(tmp_path), "--to", "onnx"]
    assert main(scaled) == 0
    pictures = np.random.default_rng(0).integers(0, 255, (3, 224, 224, 3), np.uint8)
    answers = [
        onnxruntime.InferenceSession(folder / "mobilenet_v3_small.fp32.onnx").run(None, {"pixels": pictures})[0]
        for folder in (made("mobilenet_v3_small")[1], tmp_path)
    ]
    assert np.abs(answers[0] - answers[1]).max() > 0.01


def test_an_exported_detector_analyzes_a_picture(made: Made, media: Path) -> None:
    _, folder = made("ssdlite320_mobilenet_v3_large")
    name = "ssdlite320_mobilenet_v3_large"
    settings = load_settings(
        domains="objects", manifests=str(folder / f"{name}.fp32.toml"), models=f"objects.detector={name}"
    )
    with Analyzer(settings) as analyzer:
        part = analyzer.analyze(media / "images" / "street.jpg").domains["objects"]
    assert [(model.name, model.licence) for model in part.models] == [(name, "CC0-1.0")]
    assert part.segments or part.coverage


def test_an_exported_reader_rates_texts(made: Made, tmp_path: Path) -> None:
    _, folder = made("tiny_bert")
    assert report(folder, "tiny_bert")["moved"] < 1e-4
    comments = tmp_path / "comments.txt"
    comments.write_text("We hold these truths to be self-evident.\n")
    settings = load_settings(
        domains="toxicity", manifests=str(folder / "tiny_bert.fp32.toml"), models="toxicity.classifier=tiny_bert"
    )
    with Analyzer(settings) as analyzer:
        part = analyzer.analyze(comments).domains["toxicity"]
    assert "tiny_bert" in {model.name for model in part.models}
    assert part.texts[0].toxicity > 0


def test_the_entry_says_where_the_file_is_from(made: Made) -> None:
    arguments, folder = made("yolov8n")
    (spec,) = read(folder / "yolov8n.fp32.toml")
    assert spec.conversion is not None
    assert spec.conversion.source == "yolov8n.pth"
    assert spec.conversion.parity_against.startswith("torch ")
    assert spec.licence.weights == "AGPL-3.0-only"
    assert str(folder) not in (folder / "yolov8n.fp32.toml").read_text()
    assert str(folder).encode() not in (folder / "yolov8n.fp32.onnx").read_bytes()
    assert "--side" in arguments


def test_boxes_thinned_out_in_the_graph_are_still_the_librarys(made: Made, tmp_path: Path) -> None:
    arguments, folder = made("ssdlite320_mobilenet_v3_large")
    assert main([*arguments, "--nms", "--out", str(tmp_path), "--to", "onnx"]) == 0
    found = report(tmp_path, "ssdlite320_mobilenet_v3_large")["library"]
    assert found["boxes"] == report(folder, "ssdlite320_mobilenet_v3_large")["library"]["boxes"]
    assert (found["boxes_lost_or_new"], found["scores_moved"] < 1e-3) == (0, True)


def test_other_precisions_are_held_against_fp32_and_only_written_where_they_stay_near(made: Made) -> None:
    arguments, folder = made("mobilenet_v3_small")
    for precision in ("fp16", "int8"):
        code = main([*arguments, "--to", precision])
        found = report(folder, "mobilenet_v3_small", precision)
        stays = found["moved"] <= found["tolerance"]
        assert (code == 0) == stays
        assert (folder / f"mobilenet_v3_small.{precision}.onnx").exists() == stays


def test_weights_of_something_else_are_refused(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, _ = made("mobilenet_v3_small")
    weights = arguments[arguments.index("--weights") + 1]
    code = main(["--from", "torchvision:resnet18", "--weights", weights, "--to", "onnx", "--out", str(tmp_path)])
    assert code == WeightsError.exit_code
    assert "is it of this architecture?" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_pickle_is_not_read_unless_it_is_trusted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    from benchmarks.export_checkpoints import small_network

    path, labels = tmp_path / "whole.pt", tmp_path / "labels.txt"
    torch.save(small_network().eval(), path)
    labels.write_text("day\nnight\nindoors\n")
    asked = ["--from", "torch", "--weights", str(path), "--labels", str(labels), "--side", "64", "--rows", "4"]
    assert main([*asked, "--to", "onnx", "--out", str(tmp_path)]) == UsageError.exit_code
    assert "if you trust it add --trust" in capsys.readouterr().err
    assert main([*asked, "--to", "onnx", "--out", str(tmp_path), "--trust"]) == 0
    assert (tmp_path / "whole.fp32.onnx").exists()


def test_a_detector_in_two_stages_is_refused_with_those_that_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--from", "torchvision:fasterrcnn_mobilenet_v3_large_fpn", "--weights", "random", "--to", "onnx"]
    assert main(asked) == UsageError.exit_code
    assert "one-stage detectors can be taken: SSD, RetinaNet, FCOS" in capsys.readouterr().err
