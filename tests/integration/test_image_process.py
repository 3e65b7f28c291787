"""`process` in a container, as a Processing job runs it: P01 to P07 of the contract."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from images.catalog import Image, images
from tests.conftest import MEDIA
from tests.image_runs import HARDENED, name_of, run

pytestmark = pytest.mark.docker
each_image = pytest.mark.parametrize("image", images(), ids=lambda image: image.name)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """Return a folder with the places of a job, writable for anybody."""
    for name in ("input", "output", "told"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
    return tmp_path


def processed(image: Image, job: Path) -> subprocess.CompletedProcess[str]:
    mounts = (
        f"--volume={job}/input:/opt/ml/processing/input:ro",
        f"--volume={job}/output:/opt/ml/processing/output",
        f"--volume={job}/told:/opt/ml/output",
    )
    return run("docker", "run", "--rm", "--network=none", *HARDENED, *mounts, name_of(image), "process", check=False)


@each_image
def test_p01_p02_p03_p04_every_input_gets_one_answer_that_parses(image: Image, job: Path) -> None:
    for name in ("images/cat.png", "variants/demo_noaudio.mp4"):
        shutil.copy(MEDIA / name, job / "input")
    done = processed(image, job)
    assert done.returncode == 0, done.stderr
    answers = {path.name for path in (job / "output").iterdir() if not path.name.startswith(".")}
    assert answers == {"cat.png.json", "demo_noaudio.mp4.json", "summary.json"}
    assert not [path for path in (job / "output").rglob("*") if path.is_symlink()]
    assert all(json.loads((job / "output" / name).read_text("utf-8")) for name in answers)
    assert json.loads(done.stdout.splitlines()[-1])["counts"]["done"] == 2


@each_image
def test_p05_p06_p07_a_job_of_bad_files_fails_and_says_why(image: Image, job: Path) -> None:
    (job / "input" / "broken.mp4").write_bytes(b"no video " * 100)
    assert processed(image, job).returncode == 1
    message = (job / "told" / "message").read_bytes()
    assert 0 < len(message) <= 1024
    assert "broken.mp4" in message.decode("utf-8")
