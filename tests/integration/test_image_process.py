"""`process` in a container, as a Processing job runs it: P01 to P07 of the contract."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from images.catalog import Image, images
from tests.conftest import MEDIA, ROOT
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


def processed(image: Image, job: Path, options: Sequence[str] = HARDENED) -> subprocess.CompletedProcess[str]:
    mounts = (
        f"--volume={job}/input:/opt/ml/processing/input:ro",
        f"--volume={job}/output:/opt/ml/processing/output",
        f"--volume={job}/told:/opt/ml/output",
    )
    return run("docker", "run", "--rm", "--network=none", *options, *mounts, name_of(image), "process", check=False)


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


def on_batch(job: Path, tmp: str) -> subprocess.CompletedProcess[str]:
    """Run a job with the rights that the example for AWS Batch gives it, and `tmp` at /tmp."""
    definition = json.loads((ROOT / "deploy" / "aws_batch" / "job_definition.json").read_text("utf-8"))
    container = definition["containerProperties"]
    assert container["readonlyRootFilesystem"]
    image = next(image for image in images() if image.name == "labels")
    return processed(image, job, ("--read-only", f"--user={container['user']}", f"--volume={tmp}"))


def test_a_job_on_aws_batch_has_a_tmp_to_write_to(job: Path) -> None:
    shutil.copy(MEDIA / "images" / "cat.png", job / "input")
    done = on_batch(job, "/tmp")  # noqa: S108 - a volume without a name
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["counts"]["done"] == 1


def test_a_tmp_that_only_root_may_write_to_is_told_in_the_last_line(job: Path) -> None:
    shutil.copy(MEDIA / "images" / "cat.png", job / "input")
    (job / "tmp").mkdir(mode=0o755)  # as Docker makes a folder of the host that is not there
    done = on_batch(job, f"{job}/tmp:/tmp")  # noqa: S108
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert "mount one at /tmp that uid 65532 may write to, or set TMPDIR to one" in last["error"]
    assert json.loads((job / "output" / "summary.json").read_text("utf-8"))["state"] == "failed"
