"""What is exported can be used: its manifest entry is complete, and boxes may be thinned out in the graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from export.__main__ import main
from export.conversion import GOLDEN, find_spec, plain_of
from export.entry import derived, write_entry
from export.graph_nms import MOST_ANCHORS, with_nms
from export.parity import compare, decisions
from export.precisions import feeder
from export.samples import Texts, feeds, frames_of
from export.sources.known import SOURCES
from export.weights import weights_of
from model_zoo.catalog import catalog
from model_zoo.errors import LicenceError, UsageError
from model_zoo.manifest import ModelSpec
from model_zoo.objects import DECODERS
from model_zoo.values import Box, Frames, Prediction
from serve.pipeline import Analyzer
from serve.settings import load_settings

DETECTOR = "objects/nanodet_g_416"


@pytest.fixture(scope="module")
def detector() -> onnx.ModelProto:
    return plain_of(find_spec(DETECTOR))


@pytest.fixture(scope="module")
def rows() -> Frames:
    found = frames_of(GOLDEN, find_spec(DETECTOR), 8)
    assert isinstance(found, Frames)
    return found


@pytest.mark.weights
def test_an_exported_file_is_used_by_naming_its_entry(tmp_path: Path, media: Path) -> None:
    assert main([DETECTOR, "--to", "fp16", "--rows", "6", "--out", str(tmp_path)]) == 0
    settings = load_settings(
        domains="objects",
        manifests=str(tmp_path / "nanodet_g_416.fp16.toml"),
        models="objects.detector=nanodet_g_416_fp16",
    )
    with Analyzer(settings) as analyzer:
        part = analyzer.analyze(media / "images" / "cat.png").domains["objects"]
    assert [model.name for model in part.models] == ["nanodet_g_416_fp16"]
    assert "cat" in {segment.label for segment in part.segments}


AT_HAND = [spec for spec in catalog() if spec.format == "onnx" and spec.sources[0][0].scheme != "https"]


@pytest.mark.parametrize("spec", AT_HAND, ids=lambda spec: spec.name)
def test_every_entry_is_read_back_as_it_was(spec: ModelSpec, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"weights")
    told = derived(spec, "fp16", tmp_path)
    found = write_entry(told, file)
    same = {"domain", "role", "decoder", "labels", "outputs", "input", "sound", "batch", "licence", "precisions"}
    assert found.model_dump(include=same) == told.model_dump(include=same)
    assert found.name == f"{spec.name}_fp16"
    assert found.size_bytes == 7
    if spec.text:
        assert (tmp_path / found.reads().vocabulary_file).read_bytes()


@pytest.mark.weights
def test_boxes_thinned_out_in_the_graph_are_those_that_the_decoder_keeps(
    detector: onnx.ModelProto, rows: Frames
) -> None:
    spec = find_spec(DETECTOR)
    fed = feeds(spec, rows)
    whole, thinned = feeder(detector)(fed), feeder(with_nms(detector))(fed)
    assert thinned["scores"].shape[1:] == (MOST_ANCHORS, len(spec.labels))
    kept = (thinned["scores"] >= 0.35).sum()
    assert 0 < kept < (whole["scores"] >= 0.35).sum()
    decode = DECODERS[spec.decoder]
    same = decisions(decode(whole, spec, rows), decode(thinned, spec, rows))
    assert same.boxes
    assert (same.scores_moved, same.boxes_lost_or_new, same.corners_moved) == (0.0, 0, 0.0)


def test_only_detectors_of_objects_are_thinned_out() -> None:
    with pytest.raises(UsageError, match=r"--nms: it is for objects\.detector"):
        with_nms(plain_of(find_spec("labels/efficientnet_lite0")))


def test_a_box_that_is_lost_counts_with_all_its_confidence() -> None:
    sure, faint = Box("cat", 0.9, 0, 0, 10, 10), Box("cat", 0.4, 50, 50, 60, 60)
    both, one = [Prediction(0.0, boxes=(sure, faint))], [Prediction(0.0, boxes=(faint,))]
    lost = decisions(both, one)
    assert lost.boxes_lost_or_new == 1
    assert lost.scores_moved == pytest.approx(0.5)
    moved = decisions(both, [Prediction(0.0, boxes=(Box("cat", 0.9, 0, 0, 10, 12), faint))])
    assert (moved.boxes_lost_or_new, moved.scores_moved, moved.corners_moved) == (0, 0.0, 2)


def test_where_nothing_is_said_the_tensors_are_held_against_the_tolerance(rows: Frames) -> None:
    spec = find_spec(DETECTOR)
    quiet = {"scores": np.zeros((len(rows), 4, len(spec.labels)), np.float32), "boxes": np.ones((len(rows), 4, 4))}
    report = compare(spec, "fp16", rows, quiet, {**quiet, "boxes": quiet["boxes"] * 1.5})
    assert report.moved == pytest.approx(0.5)
    assert not report.passed


def test_texts_are_tried_as_the_domain_reads_them() -> None:
    spec = find_spec("toxicity/minilm_l6_v2_int8")
    found = frames_of(GOLDEN, spec, 4)
    assert isinstance(found, Texts)
    fed = feeds(spec, found)
    assert set(fed) == {"input_ids", "attention_mask", "token_type_ids"}
    assert len(found) == 4
    assert ((fed["input_ids"] == 0) == (fed["attention_mask"] == 0)).all()


def test_the_gate_asks_for_the_licence_of_what_was_exported(tmp_path: Path) -> None:
    spec = find_spec(DETECTOR)
    unknown = spec.model_copy(update={"licence": spec.licence.model_copy(update={"weights": "unknown"})})
    file = tmp_path / "mine.onnx"
    file.write_bytes(b"weights")
    entry = write_entry(derived(unknown, "fp16", tmp_path), file)
    settings = load_settings(domains="objects", manifests=str(entry.manifest), models=f"objects.detector={entry.name}")
    with pytest.raises(LicenceError, match="unknown"), Analyzer(settings):
        pass


@pytest.mark.parametrize("name", ["torch", "torchvision", "ultralytics", "transformers"])
def test_a_library_that_is_not_there_is_named_with_the_command_that_brings_it(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    for library in ("torch", "torchvision", "ultralytics", "transformers"):
        monkeypatch.setitem(sys.modules, library, None)
    for module in [module for module in sys.modules if module.startswith("export.sources.t")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, "export.sources.ultralytics_yolo", raising=False)
    assert main(["--from", f"{name}:x", "--weights", "random", "--to", "onnx"]) == UsageError.exit_code
    said = capsys.readouterr().err
    assert f"`pip install {SOURCES[name][1]}`" in said
    assert "docs/export.md" in said


def test_a_source_that_does_not_exist_is_told_with_those_that_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--from", "keras:x", "--to", "onnx"]) == UsageError.exit_code
    assert "torch, torchvision, ultralytics, transformers" in capsys.readouterr().err


def test_a_model_and_a_checkpoint_at_once_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([DETECTOR, "--from", "torchvision:resnet18", "--to", "onnx"]) == UsageError.exit_code
    assert "or a checkpoint with --from" in capsys.readouterr().err


def test_what_serving_may_not_use_is_not_exported_either() -> None:
    with pytest.raises(LicenceError, match="scrfd_500m"):
        weights_of(find_spec("faces/scrfd_500m"))
