"""`reelwarden models ...` as a person types it."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from model_zoo.errors import LicenceError, ReelwardenError, UsageError, WeightsError
from serve.cli_models import app
from tests.unit.weights_fixtures import CONTENT, SHA256, write_manifest


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use an empty cache and a manifest with one model beside the project's."""
    (tmp_path / "mine.onnx").write_bytes(CONTENT)
    monkeypatch.setenv("REELWARDEN_MANIFESTS", str(write_manifest(tmp_path, ["file:mine.onnx"], "mine")))
    monkeypatch.setenv("REELWARDEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("REELWARDEN_MODEL_DIR", str(tmp_path / "model"))
    monkeypatch.setenv("REELWARDEN_OFFLINE", "1")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def error_of(*arguments: str) -> ReelwardenError:
    error = run(*arguments).exception
    assert isinstance(error, ReelwardenError)
    return error


def test_the_list_shows_what_is_here_and_what_is_refused() -> None:
    table = [line.split() for line in run("list").stdout.splitlines()]
    states = {row[-5]: row[-1] for row in table}
    assert (states["mine"], states["opennsfw"], states["nudenet_320n"]) == ("here", "missing", "refused")
    assert [row[-5] for row in table if row[0] == "*" and "moderation.nsfw_score" in row] == ["opennsfw"]
    rows = {row["name"]: row for row in json.loads(run("list", "--json").stdout)}
    assert rows["mine"]["present"]
    assert not rows["opennsfw"]["present"]
    assert not rows["nudenet_320n"]["accepted"]


def test_pulling_what_is_here_says_so() -> None:
    assert run("pull", "mine").stdout.startswith("mine: present ")


def test_pulling_offline_says_what_is_missing() -> None:
    error = error_of("pull")
    assert isinstance(error, WeightsError)
    assert "open-nsfw.onnx" in str(error)


def test_a_refused_licence_is_not_pulled() -> None:
    assert isinstance(error_of("pull", "nudenet_320n"), LicenceError)
    assert isinstance(error_of("pack", "nudenet_320n"), LicenceError)


def test_the_defaults_leave_out_what_the_gate_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWARDEN_LICENCES", "MIT")
    done = run("pull", "--domain", "moderation")
    assert "opennsfw is left out" in done.stderr
    assert "nsfwjs_mobilenet_v2: present" in done.stdout


def test_an_unknown_name_or_domain_lists_the_known_ones() -> None:
    assert isinstance(error_of("card", "yours"), UsageError)
    assert "objects" in str(error_of("pull", "--domain", "sports"))


def test_verify_finds_a_wrong_file(tmp_path: Path) -> None:
    assert run("verify", "mine").stdout.startswith("mine: ok ")
    (tmp_path / "mine.onnx").write_bytes(CONTENT[::-1])
    done = run("verify", "mine", "opennsfw")
    assert done.stdout.splitlines() == ["mine: WRONG", "opennsfw: MISSING"]
    assert SHA256 in str(done.exception)


def test_verify_refuses_a_model_that_its_domain_cannot_use(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(path.read_text().replace('decoder = "opennsfw"', 'decoder = "resnet"'))
    done = run("verify", "mine")
    assert done.stdout == "mine: WRONG\n"
    assert isinstance(done.exception, WeightsError)
    assert "[mine] decoder 'resnet'" in str(done.exception)


def test_verify_says_where_a_file_of_ones_own_must_lie(tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").unlink()
    message = str(error_of("verify", "mine"))
    assert f"put its files where its sources say: {tmp_path / 'mine.onnx'}" in message
    assert "pull" not in message


def test_pack_writes_a_bundle(tmp_path: Path) -> None:
    out = tmp_path / "model.tar.gz"
    assert run("pack", "--out", str(out), "mine").exit_code == 0
    with tarfile.open(out) as bundle:
        assert "mine/mine.onnx" in bundle.getnames()


def test_a_card_is_markdown() -> None:
    assert run("card", "mine").stdout.startswith("# mine\n")
