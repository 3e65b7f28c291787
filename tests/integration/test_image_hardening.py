"""Every image, as strict as an orchestrator may be: no root, no capabilities, nothing to write to, nowhere to call."""

from __future__ import annotations

import json
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from images.catalog import Image, images
from serve.version import VERSION
from tests.archives import unpack
from tests.conftest import MEDIA, ROOT
from tests.image_runs import HARDENED, Container, Fence, fence, files_below, name_of, run, running

pytestmark = pytest.mark.docker
each_image = pytest.mark.parametrize("image", images(), ids=lambda image: image.name)
BY_NAME = {image.name: image for image in images()}

PICTURE = MEDIA / "images" / "cat.png"
SPEECH = MEDIA / "speech" / "debian_motto.wav"
SECRET = "correct-horse-battery-staple"  # noqa: S105 - nobody's
FILE_NAME = "holiday with Anna.wav"
RUDE = "You are a stupid idiot. "


@pytest.fixture(scope="module")
def fenced() -> Iterator[Fence]:
    with fence() as made:
        yield made


def heard(container: Container) -> dict[str, object]:
    """Send a recording as a browser would, with things in it that no log may tell."""
    answer = httpx.post(
        f"{container.url}/invocations",
        files={"file": (FILE_NAME, SPEECH.read_bytes(), "audio/wav")},
        headers={"Authorization": f"Bearer {SECRET}"},
        timeout=240,
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    report: dict[str, object] = answer.json()
    return report


@each_image
def test_c04_c06_c27_c28_c30_c31_c33_c34_c35_an_image_serves_from_behind_bars_and_calls_nobody(
    image: Image, fenced: Fence
) -> None:
    before = fenced.attempts()
    options = (*HARDENED, *fenced.options, f"--env=AWS_SECRET_ACCESS_KEY={SECRET}")
    with running(name_of(image), options) as container:
        container.wait_until_ready()
        answer = httpx.post(
            f"{container.url}/invocations",
            content=PICTURE.read_bytes(),
            headers={"Content-Type": "image/png"},
            timeout=240,
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text
        report = heard(container)
        assert report["complete"], report
        assert set(report["domains"]) == set(image.domains)  # type: ignore[call-overload]
        assert container.changed() == []
        assert fenced.attempts() == before
        check_logs(container.logs(), report)
        assert container.stop() < 30
        assert container.state()["ExitCode"] in {0, 143}


def check_logs(logs: str, report: dict[str, object]) -> None:
    """C27, C28: JSON lines, and none of them tells a secret, a name or what was said."""
    lines = [json.loads(line) for line in logs.splitlines()]
    assert lines
    said = [
        segment["text"]
        for segment in report["domains"].get("transcription", {}).get("segments", [])  # type: ignore[attr-defined]
    ]
    for secret in (SECRET, FILE_NAME, "Anna", *said):
        assert secret not in logs


@each_image
def test_c36_as_root_on_a_writable_disk_it_writes_to_tmp_alone(image: Image, fenced: Fence, tmp_path: Path) -> None:
    with tarfile.open(ROOT / "out" / "images" / image.name / "weights.tar.gz") as packed:
        unpack(packed, tmp_path)  # as SageMaker does with a model.tar.gz
    before = files_below(tmp_path)
    with running(name_of(image), (*fenced.options, f"--volume={tmp_path}:/opt/ml/model")) as container:
        container.wait_until_ready()
        heard(container)
        outside = {line for line in container.changed() if not line.startswith(("C /tmp", "A /tmp"))}
        assert outside <= {"A /opt/ml", "A /opt/ml/model", "C /opt"}  # where the mount hangs
        assert files_below(tmp_path) == before


@each_image
def test_it_works_without_any_network_at_all(image: Image, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    options = (*HARDENED, "--network=none", f"--volume={SPEECH}:/media/speech.wav:ro", f"--volume={tmp_path}:/out")
    done = run("docker", "run", "--rm", *options, name_of(image), "analyze", "/media/speech.wav", "--out", "/out")
    assert "speech.wav" in done.stdout + done.stderr
    report = json.loads(next(tmp_path.rglob("report.json")).read_text("utf-8"))
    assert report["complete"]
    assert report["reelwarden_version"] == VERSION


@pytest.mark.parametrize(
    "call",
    [
        "socket.create_connection(('192.0.2.1', 443), 1)",
        "socket.create_connection(('{host}', 443), 1)",
        "socket.getaddrinfo('example.com', 443)",
    ],
    ids=["an address", "this host", "a name"],
)
def test_the_fence_counts_what_wants_out(call: str, fenced: Fence) -> None:
    """Without this the tests above could not fail."""
    before = fenced.attempts()
    call = f"import signal, socket; signal.alarm(5); {call.format(host=fenced.host)}"
    image = name_of(BY_NAME["shots"])
    done = run("docker", "run", "--rm", *fenced.options, "--entrypoint=python3", image, "-c", call, check=False)
    assert done.returncode != 0
    assert fenced.attempts() > before


@each_image
def test_c37_sagemaker_may_choose_the_port(image: Image, fenced: Fence) -> None:
    options = (*HARDENED, *fenced.options, "--env=SAGEMAKER_BIND_TO_PORT=9123")
    with running(name_of(image), options) as container:
        Container(container.id, container.url.replace("8080", "9123")).wait_until_ready()
        assert container.ping() == 0
        run("docker", "exec", container.id, "reelwarden", "healthcheck")


@each_image
def test_c38_an_unknown_command_ends_with_64(image: Image) -> None:
    done = run("docker", "run", "--rm", "--network=none", name_of(image), "train", check=False)
    assert done.returncode == 64
    assert "serve" in done.stderr


@each_image
def test_c05_no_ping_takes_2_s_while_it_starts(image: Image, fenced: Fence) -> None:
    taken, status = [], 0
    with running(name_of(image), (*HARDENED, *fenced.options)) as container:
        while status != httpx.codes.OK:
            start = time.monotonic()
            try:
                status = httpx.get(f"{container.url}/ping", timeout=30, trust_env=False).status_code
            except httpx.ConnectError:  # nobody listens yet
                assert container.state()["Running"], container.logs()
                continue
            taken.append(time.monotonic() - start)
            time.sleep(0.02)
    assert max(taken) < 2


@each_image
def test_c32_work_in_flight_is_answered_after_sigterm(image: Image, fenced: Fence) -> None:
    def ask(url: str) -> int:
        reads_only = image.domains == ("toxicity",)
        body = RUDE.encode() * 20_000 if reads_only else (MEDIA / "demo.mp4").read_bytes()
        headers = {"Content-Type": "text/plain" if reads_only else "video/mp4"}
        return httpx.post(f"{url}/invocations", content=body, headers=headers, timeout=60, trust_env=False).status_code

    with (
        running(name_of(image), (*HARDENED, *fenced.options)) as container,
        ThreadPoolExecutor(1) as caller,
    ):
        container.wait_until_ready()
        answer = caller.submit(ask, container.url)
        while 'taken_places{lane="videos"} 1.0' not in (metrics := metrics_of(container)):
            assert not answer.done(), metrics
        assert container.stop() < 30
        assert answer.result(30) == 200
        assert container.state()["ExitCode"] in {0, 143}


def metrics_of(container: Container) -> str:
    return httpx.get(f"{container.url}/metrics", trust_env=False).text
