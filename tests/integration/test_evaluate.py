"""`reelwarden evaluate` on labelled folders: real weights, right and wrong labels, and what is said of bad ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import face_quality, measured, naming_quality, quality, sound_quality
from model_zoo.errors import UsageError
from serve.cli import app
from serve.cli_evaluate import by_model
from serve.evaluate import evaluate
from serve.evaluate.task import labelled_files
from serve.pipeline import Analyzer
from serve.settings import load_settings
from tests.conftest import MEDIA

CUTS = "2.0\n4.0  # the same scene, nearer\n\n7.0\n8.48\n14.16\n17.36\n21.36\n24.76\n29.16\n"


def figures(folder: Path) -> dict[str, float]:
    return {figure.metric: figure.value for _, figure in evaluate(folder, load_settings())}


def copied(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(MEDIA / name, folder)
    return folder


def coco(folder: Path, category: str, bbox: list[float], name: str = "astronaut.jpg") -> None:
    copied(folder / "objects" / "images", "images/astronaut.jpg")
    document = {
        "images": [{"id": 7, "file_name": name, "width": 512, "height": 512}],
        "annotations": [{"image_id": 7, "category_id": 3, "bbox": bbox, "iscrowd": 0, "area": 1, "id": 1}],
        "categories": [{"id": 3, "name": category}],
    }
    (folder / "objects" / "annotations.json").write_text(json.dumps(document), "utf-8")


def test_cuts_are_compared_with_the_times_in_the_text_file(tmp_path: Path) -> None:
    (copied(tmp_path / "shots", "demo.mp4") / "demo.txt").write_text(CUTS, "utf-8")
    assert figures(tmp_path) == {"F1 of cuts": 1.0, "precision of cuts": 1.0, "recall of cuts": 1.0}
    (tmp_path / "shots" / "demo.txt").write_text(CUTS + "30.0\n", "utf-8")
    assert figures(tmp_path)["recall of cuts"] == pytest.approx(0.9)


@pytest.mark.weights
def test_boxes_are_compared_with_a_folder_as_coco_has_it(tmp_path: Path) -> None:
    coco(tmp_path, "person", [20, 0, 450, 512])
    assert figures(tmp_path)["mean average precision, IoU 0.50"] == 1.0
    coco(tmp_path, "dog", [20, 0, 450, 512])
    assert figures(tmp_path)["mean average precision, IoU 0.50"] == 0.0


@pytest.mark.weights
def test_faces_are_compared_pair_by_pair(tmp_path: Path) -> None:
    copied(tmp_path / "faces" / "man", "faces/screencast_man_a.jpg", "faces/screencast_man_b.jpg")
    copied(tmp_path / "faces" / "astronaut", "images/astronaut.jpg", "images/cat.png")
    found = figures(tmp_path)
    assert found == {
        "false reject rate": 0.0,
        "false accept rate": 0.0,
        "share of pictures without one good face": 0.25,
    }


def texts(folder: Path, *rows: tuple[str, list[str]]) -> None:
    (folder / "toxicity").mkdir()
    lines = [json.dumps({"text": text, "keys": keys}) + "\n" for text, keys in rows]
    (folder / "toxicity" / "rows.jsonl").write_text("\n".join(lines), "utf-8")


@pytest.mark.weights
def test_toxic_texts_are_told_from_harmless_ones(tmp_path: Path) -> None:
    texts(
        tmp_path,
        ("you are a stupid idiot", ["insult"]),
        ("what a lovely morning", []),
        ("I will find you and kill you", ["violence_or_threat"]),
        ("the train leaves at nine", []),
    )
    found = figures(tmp_path)
    assert found["toxicity: AUC"] == found["insult: AUC"] == found["violence_or_threat: AUC"] == 1.0
    assert set(found) == {
        f"{key}: {metric}"
        for key in ("toxicity", "insult", "violence_or_threat")
        for metric in ("AUC", "F1 at 0.5")
    }  # fmt: skip


def test_a_key_that_does_not_exist_is_named_with_its_line(tmp_path: Path) -> None:
    texts(tmp_path, ("hello", []), ("you", ["rude"]))
    with pytest.raises(UsageError, match=r"rows\.jsonl:3: keys\.0: Input should be 'profanity'"):
        evaluate(tmp_path, load_settings())


@pytest.mark.weights
def test_a_model_that_is_named_fills_its_role_whatever_else_is_measured(tmp_path: Path) -> None:
    coco(tmp_path, "person", [20, 0, 450, 512])
    texts(tmp_path, ("you are a stupid idiot", ["insult"]), ("what a lovely morning", []))
    wanted = load_settings(models="objects.detector=nanodet_g_416,toxicity.classifier=toxic_bilstm")
    assert {figure.model for _, figure in evaluate(tmp_path, wanted)} == {"nanodet_g_416", "toxicity"}


@pytest.mark.weights
def test_the_figures_are_written_as_model_cards_read_them(tmp_path: Path) -> None:
    coco(tmp_path, "person", [20, 0, 450, 512])
    out = tmp_path / "measured.json"
    answer = CliRunner().invoke(app, ["evaluate", str(tmp_path), "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    (entry, _) = json.loads(out.read_text("utf-8"))["nanodet_g_416"]
    assert entry["metric"] == "mean average precision, IoU 0.50:0.95"
    assert entry["dataset"].startswith("1 picture, 1 box;")
    assert entry["source"] == "reelwarden evaluate"


def test_a_folder_without_any_labelled_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none of the folders speech/, toxicity/, faces/, objects/, text/, shots/"):
        evaluate(tmp_path, load_settings())


def test_a_medium_without_an_answer_is_refused_so_that_figures_do_not_get_better(tmp_path: Path) -> None:
    (copied(tmp_path / "shots", "demo.mp4") / "demmo.txt").write_text(CUTS, "utf-8")
    with pytest.raises(UsageError, match=r"demo\.mp4: no right answer beside it; write demo\.txt"):
        evaluate(tmp_path, load_settings())


def test_the_answer_of_another_recording_does_not_count_as_right(tmp_path: Path) -> None:
    for name, text in (("talk", "hello world"), ("talk.2", "good bye"), ("talk.3", "")):
        (tmp_path / f"{name}.txt").write_text(text, "utf-8")
    for name in ("talk.wav", "talk.2.wav"):
        (tmp_path / name).touch()
    assert {one.media.name: one.answers for one in labelled_files(tmp_path)} == {
        "talk.wav": ("hello world", ""),
        "talk.2.wav": ("good bye",),
    }


def test_a_wrong_line_is_named(tmp_path: Path) -> None:
    (copied(tmp_path / "shots", "demo.mp4") / "demo.txt").write_text("2.0\nfour\n", "utf-8")
    with pytest.raises(UsageError, match=r"demo\.txt:2: 'four' is no number of seconds"):
        evaluate(tmp_path, load_settings())


def test_an_answer_that_is_no_text_is_named(tmp_path: Path) -> None:
    (copied(tmp_path / "shots", "demo.mp4") / "demo.txt").write_bytes(b"\xff\xfe2.0")
    with pytest.raises(UsageError, match=r"demo\.txt: cannot be read as UTF-8 text"):
        evaluate(tmp_path, load_settings())


def test_annotations_that_lead_out_of_the_folder_or_lack_something_are_refused(tmp_path: Path) -> None:
    coco(tmp_path, "person", [0, 0, 1, 1], "../../secret.jpg")
    with pytest.raises(UsageError, match="leads out of"):
        evaluate(tmp_path, load_settings())
    (tmp_path / "objects" / "annotations.json").write_text('{"images": []}', "utf-8")
    with pytest.raises(UsageError, match="annotations: Field required"):
        evaluate(tmp_path, load_settings())


@pytest.mark.media
@pytest.mark.weights
@pytest.mark.parametrize("folder", ["faces", "objects", "text", "shots"])
def test_the_cards_say_what_is_measured(folder: str, rich_media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "RICH_MEDIA", rich_media)
    for domain, found in quality.measure([folder]).items():
        said = measured.read(domain)
        assert measured.merged(said, by_model(found, quality.SOURCE), quality.SOURCE) == said


@pytest.mark.media
@pytest.mark.weights
def test_the_cards_say_which_things_and_sounds_are_named(rich_media: Path) -> None:
    for domain, figures in (naming_quality.measure() | {"sounds": sound_quality.measure()}).items():
        said = measured.read(domain)
        source = next(iter(figures.values()))[0]["source"]
        assert measured.merged(said, figures, source) == said


@pytest.mark.media
@pytest.mark.weights
def test_faces_of_24_pixels_are_found(rich_media: Path) -> None:
    with Analyzer(load_settings(domains="faces", biometrics=False)) as analyzer:
        found = {figure["dataset"]: figure["value"] for figure in face_quality.by_width(analyzer, widths=(24,))}
    assert len(found) == len(face_quality.SIZES)
    assert min(found.values()) >= 15 / 16


DOMAINS = ["faces", "labels", "moderation", "objects", "shots", "sounds", "text", "transcription"]


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_card_of_a_domain_shows_its_figures(domain: str) -> None:
    assert "| model | metric | data | value |" in measured.card(domain)
    assert measured.card(domain) == measured.card_path(domain).read_text("utf-8")


def test_a_script_replaces_its_own_figures_only() -> None:
    old = {"a": [{"metric": "x", "source": "mine"}, {"metric": "y", "source": "theirs"}], "b": [{"source": "mine"}]}
    new = {"a": [{"metric": "z", "source": "mine"}]}
    assert measured.merged(old, new, "mine") == {
        "a": [{"metric": "z", "source": "mine"}, {"metric": "y", "source": "theirs"}]
    }
