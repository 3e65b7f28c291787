"""An image without weights takes them from /opt/ml/model, and says what is missing where they are not there."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from images.catalog import images
from tests.archives import unpack
from tests.conftest import MEDIA, ROOT
from tests.image_runs import FLAVOR, HARDENED, Fence, fence, files_below, run, running

pytestmark = pytest.mark.docker
LABELS = next(image for image in images() if image.name == "labels")
CAT = MEDIA / "images" / "cat.png"


@pytest.fixture(scope="module")
def fenced() -> Iterator[Fence]:
    with fence() as made:
        yield made


@pytest.fixture(scope="module")
def slim() -> str:
    """Build the image; return its name."""
    command = [sys.executable, "-m", "images.build", LABELS.name, "--flavor", FLAVOR, "--slim"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return f"{LABELS.repository}:{FLAVOR}-slim"


def size_of(image: str) -> int:
    return int(run("docker", "image", "inspect", "--format={{.Size}}", image).stdout)


def test_it_holds_no_weights(slim: str) -> None:
    found = run("docker", "run", "--rm", "--network=none", "--entrypoint=find", slim, "/opt/reelwarden/weights")
    assert not [line for line in found.stdout.splitlines() if line.endswith((".onnx", ".bin"))]
    assert size_of(slim) < size_of(f"{LABELS.repository}:{FLAVOR}")


def test_with_the_weights_of_a_model_tar_gz_it_answers_as_the_image_that_has_them_inside(
    slim: str, fenced: Fence, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    packed = tmp_path / "model.tar.gz"
    run(sys.executable, "-m", "serve", "models", "pack", "--domain", LABELS.name, "--out", str(packed))
    with tarfile.open(packed) as archive:
        unpack(archive, folder)  # as SageMaker does with a model.tar.gz
    tmp_path.chmod(0o755)
    before, packets = files_below(folder), fenced.attempts()
    model = f"--volume={folder}:/opt/ml/model:ro"
    answers = []
    for image in (slim, f"{LABELS.repository}:{FLAVOR}"):
        with running(image, (*HARDENED, *fenced.options, *([model] if image == slim else []))) as container:
            container.wait_until_ready()
            answer = httpx.post(f"{container.url}/invocations", content=CAT.read_bytes(), timeout=60, trust_env=False)
            assert answer.status_code == 200, answer.text
            answers.append(answer.json()["domains"])
            assert set(container.changed()) <= {"C /opt", "A /opt/ml", "A /opt/ml/model"}  # where the mount hangs
    assert answers[0] == answers[1]
    assert files_below(folder) == before
    assert fenced.attempts() == packets


def test_without_them_ping_is_never_green_and_it_ends_with_3_naming_what_is_missing(slim: str, fenced: Fence) -> None:
    with running(slim, (*HARDENED, *fenced.options)) as container:
        end = time.monotonic() + 120
        while container.state()["Running"]:
            assert container.ping() != httpx.codes.OK
            assert time.monotonic() < end, container.logs()
        assert container.state()["ExitCode"] == 3
        logged = [json.loads(line) for line in container.logs().splitlines()]
    (message,) = (line["message"] for line in logged if line["level"] == "critical")
    assert "efficientnet_lite0" in message
    assert "reelwarden models pack" in message
    assert "/opt/ml/model" in message


def test_a_job_without_them_ends_with_3_and_names_what_is_missing(slim: str, tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir(mode=0o777)
        (tmp_path / name).chmod(0o777)
    (tmp_path / "in" / "cat.png").write_bytes(CAT.read_bytes())
    mounts = (
        f"--volume={tmp_path}/in:/opt/ml/processing/input:ro",
        f"--volume={tmp_path}/out:/opt/ml/processing/output",
    )
    done = run("docker", "run", "--rm", "--network=none", *HARDENED, *mounts, slim, "process", check=False)
    assert done.returncode == 3
    assert "efficientnet_lite0" in json.loads(done.stdout.splitlines()[-1])["error"]


def test_weights_that_it_may_not_read_are_named_with_what_mends_it(slim: str, fenced: Fence, tmp_path: Path) -> None:
    (tmp_path / LABELS.name).mkdir()
    tmp_path.chmod(0o700)
    options = (*HARDENED, *fenced.options, f"--volume={tmp_path}:/opt/ml/model:ro")
    done = run("docker", "run", "--rm", *options, slim, "serve", check=False)
    assert done.returncode == 3
    assert "may not be read by user 12345; `chmod -R a+rX` its folder" in done.stderr
    assert "Traceback" not in done.stderr
