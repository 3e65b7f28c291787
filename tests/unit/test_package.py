"""The package: what a pipeline stores beside a video."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from model_zoo.errors import UsageError
from model_zoo.report import Report
from serve import jpeg
from serve.cli import app
from serve.formats import form_named
from serve.media import Limits, open_media
from serve.package import write_package
from serve.package.sheets import GAP
from serve.review import report_sha256
from serve.stills import stills
from tests.conftest import MEDIA
from tests.review_reports import demo_report

DEMO = MEDIA / "demo.mp4"


@pytest.fixture(scope="module")
def report() -> Report:
    return demo_report(DEMO)


@pytest.fixture(scope="module")
def package(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages") / "demo"
    write_package(folder, report, open_media(DEMO, Limits()))
    return folder


def manifest(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    return document


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_manifest_lists_every_file_with_its_size_and_hash(package: Path, report: Report) -> None:
    listed = {entry["path"]: (entry["size_bytes"], entry["sha256"]) for entry in manifest(package)["files"]}
    there = {
        name: (len(data), hashlib.sha256(data).hexdigest())
        for name, data in content(package).items()
        if name != "manifest.json"
    }
    assert listed == there
    assert set(there) == {
        "report.json",
        "transcript.json",
        "transcript.txt",
        "subtitles.srt",
        "subtitles.vtt",
        "review.html",
        "contact_sheet.jpg",
        "thumbnails/000.jpg",
        "thumbnails/001.jpg",
    }
    assert manifest(package)["report_sha256"] == report_sha256(report)
    assert manifest(package)["verdict"] == "block"


def test_a_thumbnail_says_what_it_shows_and_shows_nothing(package: Path) -> None:
    entry = next(entry for entry in manifest(package)["files"] if entry["path"] == "thumbnails/000.jpg")
    assert (entry["finding"]["label"], entry["finding"]["peak_seconds"]) == ("Weapons", 16.5)
    picture = jpeg.decode((package / "thumbnails/000.jpg").read_bytes())
    (still,) = stills(open_media(DEMO, Limits()), [16.5])
    sharp = jpeg.scaled(jpeg.decode(still.jpeg), picture.shape[1], picture.shape[0])
    assert max(picture.shape[:2]) == 320
    assert detail(picture) < 0.35 * detail(sharp)
    assert abs(float(picture.mean()) - float(sharp.mean())) < 6  # it is the same moment


def test_the_contact_sheet_hides_flagged_moments_only(package: Path) -> None:
    sheet = jpeg.decode((package / "contact_sheet.jpg").read_bytes())
    height, width = (sheet.shape[0] - GAP) // 4 - GAP, (sheet.shape[1] - GAP) // 4 - GAP
    tiles = [
        sheet[GAP + row * (height + GAP) :, GAP + column * (width + GAP) :][:height, :width]
        for row in range(4)
        for column in range(4)
    ]
    details = [detail(tile) for tile in tiles]
    hidden = set(sorted(range(16), key=lambda number: details[number])[:2])
    assert hidden == {8, 9}  # 15.6 and 17.55 seconds, of 14 to 19; tiles are 1.95 seconds apart


def detail(picture: Any) -> float:
    """Return how much of a picture would be lost by blurring it: next to nothing where it is blurred already."""
    lost = picture.astype(np.int16) - jpeg.blurred(np.ascontiguousarray(picture))
    return float(np.abs(lost).mean())


def test_the_same_report_gives_the_same_package(package: Path, report: Report, tmp_path: Path) -> None:
    write_package(tmp_path / "again", report, open_media(DEMO, Limits()))
    again = content(tmp_path / "again")
    once = content(package)
    differing = {name for name in once if once[name] != again[name]}
    assert differing <= {"review.html", "manifest.json"}  # the way from the page to the video is another one
    assert once.keys() == again.keys()
    write_package(tmp_path / "again", report, open_media(DEMO, Limits()))
    assert content(tmp_path / "again") == again
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_a_package_that_cannot_be_finished_leaves_the_old_one(
    package: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(package)

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UsageError, match=r"cannot write there \(No space left on device\)"):
        write_package(package, report, open_media(DEMO, Limits()))
    monkeypatch.undo()
    assert content(package) == before
    assert [path.name for path in package.parent.iterdir()] == [package.name]


@pytest.mark.parametrize("name", ["holiday.jpg", "manifest.json"])
def test_a_folder_with_something_else_in_it_is_not_replaced(report: Report, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b'{"name": "an app of mine"}')
    with pytest.raises(UsageError, match="something in it that is no package"):
        write_package(tmp_path, report, open_media(DEMO, Limits()))
    assert (tmp_path / name).exists()


def test_a_file_beside_those_of_a_package_is_not_lost(report: Report, tmp_path: Path) -> None:
    write_package(tmp_path / "p", report, open_media(DEMO, Limits()))
    (tmp_path / "p" / "decisions.json").write_text("{}")
    with pytest.raises(UsageError, match="something in it that is no package"):
        write_package(tmp_path / "p", report, open_media(DEMO, Limits()))
    assert (tmp_path / "p" / "decisions.json").exists()


def test_a_file_is_not_replaced_by_a_package(report: Report, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years")
    with pytest.raises(UsageError, match="no package"):
        write_package(tmp_path / "thesis.txt", report, open_media(DEMO, Limits()))
    assert (tmp_path / "thesis.txt").read_text() == "three years"


def test_further_forms_are_listed_and_what_cannot_be_made_is_said(report: Report, tmp_path: Path) -> None:
    fewer = report.model_copy(update={"domains": {"objects": report.domains["objects"]}, "verdict": None})
    forms = [form_named("json"), form_named("csv"), form_named("srt")]
    (left_out,) = write_package(tmp_path / "p", fewer, open_media(DEMO, Limits()), forms=forms)
    assert "srt" in str(left_out)
    assert [entry["path"] for entry in manifest(tmp_path / "p")["files"]] == [
        "report.json",
        "review.html",
        "contact_sheet.jpg",
        "report.csv",
    ]


def test_sound_has_a_package_without_pictures(tmp_path: Path) -> None:
    path = MEDIA / "variants/demo_audio.m4a"
    write_package(tmp_path / "p", demo_report(path), open_media(path, Limits()))
    assert not [name for name in content(tmp_path / "p") if name.endswith(".jpg")]


def test_analyze_writes_packages_and_pages(tmp_path: Path) -> None:
    arguments = ["analyze", str(MEDIA / "variants/demo_vfr.mp4"), "--domains", "shots"]
    outcome = CliRunner().invoke(app, [*arguments, "--package", str(tmp_path / "p"), "--format", "csv"])
    assert outcome.exit_code == 0, outcome.output
    assert {"report.json", "review.html", "contact_sheet.jpg", "report.csv"} <= content(tmp_path / "p").keys()
    CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "o"), "--review"])
    assert {path.name for path in (tmp_path / "o").iterdir()} == {"report.json", "review.html"}


def test_a_place_that_cannot_become_a_package_is_said_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    outcome = CliRunner().invoke(app, ["analyze", str(DEMO), "--domains", "shots", "--package", str(tmp_path)])
    assert isinstance(outcome.exception, UsageError)
    assert {path.name for path in tmp_path.iterdir()} == {"holiday.jpg"}
