"""What `python -m deploy.ecr` has Docker do: a stand-in notes it, and AWS is made up."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from moto import mock_aws

from deploy.ecr.__main__ import main
from serve.version import VERSION
from tests.conftest import ROOT

COMMIT = "68429f5c0d11aa22bb33cc44dd55ee66ff778899"
# builds nothing: notes every command, and knows one image, whose hash is in a file that a test may change
DOCKER = """#!{python}
import json, pathlib, sys
place, words = pathlib.Path({place!r}), sys.argv[1:]
with (place / "commands").open("a") as notes:
    notes.write(json.dumps(words) + "\\n")
hashed = (place / "hash").read_text()
if words[:2] == ["image", "inspect"]:
    print(f"sha256:{{hashed}} {commit}")
elif words[0] == "push":
    print(f"latest: digest: sha256:{{hashed}} size: 1")
elif words[0] == "run" and "sha256sum" not in words[-1]:
    print('{{"metadata": {{}}, "components": []}}' if "cat" in words[-1] else "libc6 2.36 amd64")
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a stand-in in Docker's place; return the folder of its notes."""
    place = tmp_path / "docker"
    place.mkdir()
    (place / "hash").write_text("a" * 64)
    (place / "docker").write_text(DOCKER.format(python=sys.executable, place=str(place), commit=COMMIT))
    (place / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(place), prepend=":")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr("images.build.OUT", tmp_path / "images")
    return place


def commands(place: Path, first: str) -> list[list[str]]:
    """Return what Docker was told to do, of the commands with this name."""
    lines = (place / "commands").read_text("utf-8").splitlines()
    return [words for line in lines if (words := json.loads(line))[0] == first]


def ship(monkeypatch: pytest.MonkeyPatch, out: Path, *words: str) -> None:
    command = ["deploy.ecr", "shots", "--region", "eu-west-1", "--out", str(out), *words]
    monkeypatch.setattr(sys, "argv", command)
    with mock_aws():
        main()


def test_the_next_build_of_a_version_is_pushed_beside_the_one_before(
    docker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hashed in ("a" * 64, "b" * 64):
        (docker / "hash").write_text(hashed)
        ship(monkeypatch, tmp_path / "deploy")
    pushed = [words[1].rpartition("/")[2] for words in commands(docker, "push")]
    assert pushed == [f"reelwarden-shots:{VERSION}-cpu-68429f5c0d11-{letter * 12}" for letter in "ab"]
    model = json.loads((tmp_path / "deploy" / "reelwarden-shots-cpu" / "CreateModel.json").read_text("utf-8"))
    assert model["PrimaryContainer"]["Image"].endswith("/reelwarden-shots@sha256:" + "b" * 64)


def test_nothing_is_built_unless_it_is_asked_for(docker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ship(monkeypatch, tmp_path / "deploy")
    assert not commands(docker, "build")


def test_what_is_pushed_is_built_first_with_the_same_options(
    docker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASE_IMAGE", "debian@sha256:" + "0" * 64)
    ship(
        monkeypatch, tmp_path / "deploy", "--build", "--slim", "--flavor", "gpu", "--model-data", "s3://m/model.tar.gz"
    )
    code, runtime, image = commands(docker, "build")
    assert "BASE_IMAGE=debian@sha256:" + "0" * 64 in code
    assert {"SET=vision", "FLAVOR=gpu"} <= set(runtime)
    name = f"reelwarden-shots:{VERSION}-gpu-slim"
    assert image[image.index("--tag") + 1] == name
    assert str(ROOT / "images" / "shots" / "Dockerfile") in image
    done = [json.loads(line) for line in (docker / "commands").read_text("utf-8").splitlines()]
    (tag,) = commands(docker, "tag")
    assert tag[1] == name
    assert done.index(image) < done.index(tag)


def test_the_lines_to_paste_start_a_job_of_a_new_name_each_time(
    docker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ship(monkeypatch, tmp_path / "deploy")
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("  aws ")]
    (docker / "aws").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (docker / "aws").chmod(0o755)
    said = [subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout for line in lines]
    words = {text.split()[1]: text.split()[2:] for text in said}
    files = {operation: Path(given[1].removeprefix("file://")) for operation, given in words.items()}
    assert all(path.is_file() for path in files.values())
    for job in ("transform", "processing"):
        option, name = words[f"create-{job}-job"][2:]
        assert option == f"--{job}-job-name"
        assert re.fullmatch(r"reelwarden-shots-cpu-\d{8}-\d{6}", name)
