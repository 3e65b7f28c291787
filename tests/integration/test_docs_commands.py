"""Every command that the docs show is run as it stands there; what cannot be run here is listed, with the reason."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serve.review.decisions import report_sha256
from serve.saved import read_report
from tests.conftest import MEDIA, ROOT
from tests.server_process import started

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^(?:\$ )?((?:\.venv/bin/)?(?:reelwarden|python -m|curl|make|docker|tar) ?.*)$")
SYNOPSIS = re.compile(r"\[--|\[-|PATH\.\.\.| \| ")
ELSEWHERE = {  # what the line begins with -> where it is proven, or why it cannot be
    "make ": "the checks of every change",
    "docker ": "tests/integration/test_image_*.py",
    ".venv/bin/python -m images.build": "tests of the images",
    ".venv/bin/python -m deploy.ecr": "test_image_push.py, against a real registry",
    ".venv/bin/reelwarden models pack": "run below without its folder",
    ".venv/bin/python -m export": "test_export*.py; takes minutes, and needs the checkpoints of the reader",
    "reelwarden models build": "needs TensorRT and a GPU",
    "reelwarden models pull nudenet_320n": "needs a licence that the reader must accept",
    "reelwarden models verify house_nsfw": "needs the reader's own model",
    "reelwarden process --input s3://": "test_image_s3.py, against a real S3 server",
    "reelwarden evaluate labelled/ --models objects.detector=my_detector": "needs the reader's own model",
    "curl -H 'Content-Type: application/json' -d '{\"media\": \"s3://": "needs a bucket; test_image_s3.py",
    "tar -xzf model.tar.gz -C ~/.cache": "would change this user's cache",
}
MADE_UP = {
    "/data/": "data/",
    "https://…": "https://example.com/clip.mp4",
    "s3://…": "s3://bucket/clip.mp4",
    ":sagemaker:…": ":sagemaker:eu-west-1:123456789012:flow-definition/moderators",
}
GATE = 4  # exit code of --fail-on, also right
QUICK = "moderation,shots,transcription"


def commands() -> list[str]:
    """Return every command of the docs once, without its explanation."""
    found = {}
    for page in PAGES:
        for block in BLOCK.findall(page.read_text("utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                if (match := COMMAND.match(line)) and not SYNOPSIS.search(line):
                    found[re.split(r" {2,}(?=\S)| +#", match[1].strip())[0]] = page.name
    return list(found)


def here() -> Iterator[Any]:
    """Yield the commands that are run by this test."""
    for line in commands():
        if not line.startswith(tuple(ELSEWHERE)):
            yield pytest.param(line, marks=[pytest.mark.curl] if line.startswith("curl") else [])


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which a reader of the docs may be: a clip, a picture, a report and the decisions on it."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copy(MEDIA / "variants" / "demo_vp9.webm", folder / "clip.mp4")  # told by its bytes, not by its name
    shutil.copy(MEDIA / "images" / "astronaut.jpg", folder / "photo.jpg")
    (folder / "tests" / "media").mkdir(parents=True)
    shutil.copy(MEDIA / "variants" / "demo_vp9.webm", folder / "tests" / "media" / "demo.mp4")
    comments = json.dumps({"id": "c-17", "text": "have a nice day"}) + "\n"
    for place in ("", "data/comments"):
        (folder / place).mkdir(parents=True, exist_ok=True)
        (folder / place / "comments.jsonl").write_text(comments, "utf-8")
    (folder / "data" / "in").mkdir()
    shutil.copy(folder / "photo.jpg", folder / "data" / "in")
    (folder / "labelled" / "shots").mkdir(parents=True)
    shutil.copy(MEDIA / "variants" / "demo_vp9.webm", folder / "labelled" / "shots" / "clip.webm")
    (folder / "labelled" / "shots" / "clip.txt").write_text("0.6\n", "utf-8")
    run("reelwarden analyze tests/media/demo.mp4 --out out/demo", folder)
    shutil.copy(folder / "out" / "demo" / "report.json", folder)
    run("reelwarden policy show > house.yaml", folder)
    sha256 = report_sha256(read_report(folder / "report.json"))
    review = {"report_sha256": sha256, "reviewer": "Ann", "reviewed_at": "2026-01-01T00:00:00Z", "segments": []}
    (folder / "decisions.json").write_text(json.dumps(review), "utf-8")
    return folder


def run(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line as a shell does, with the programs of this environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, "REELWARDEN_DOMAINS": QUICK, **environment}
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=variables, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the port of a running server."""
    with started(tmp_path_factory.mktemp("server"), REELWARDEN_DOMAINS="moderation,objects,toxicity") as server:
        server.wait_for(200)
        yield server.url.rpartition(":")[2]


@pytest.mark.weights
@pytest.mark.parametrize("line", list(here()))
def test_a_command_of_the_docs_does_what_it_says(line: str, desk: Path, request: pytest.FixtureRequest) -> None:
    for made_up, real in MADE_UP.items():
        line = line.replace(made_up, real)
    environment = {}
    if line.startswith(("curl", "reelwarden healthcheck")):
        environment = {"REELWARDEN_PORT": request.getfixturevalue("port")}
        line = re.sub(r"localhost:\d+", "127.0.0.1:$REELWARDEN_PORT", line.replace("curl ", "curl --fail --silent "))
        line = re.sub(r"'(127[^']*)'", r'"\1"', line)
    done = run(line, desk, **environment)
    assert done.returncode in ({0, GATE} if "--fail-on" in line else {0}), done.stderr + done.stdout[-2000:]


def test_every_command_that_is_left_to_other_tests_is_still_in_the_docs() -> None:
    said = commands()
    assert [start for start in ELSEWHERE if not any(line.startswith(start) for line in said)] == []
