"""Images are pushed to a real registry and come back by digest; a change of the code sends the top layer alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from serve.version import VERSION
from tests.conftest import ROOT
from tests.image_runs import FLAVOR, run
from tests.server_process import free_port

pytestmark = pytest.mark.docker
IMAGE = f"reelwarden-shots:{VERSION}-{FLAVOR}"
REGISTRY = "/usr/bin/docker-registry"
REVISION = '{{index .Config.Labels "org.opencontainers.image.revision"}}'


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the host and port of an empty registry on this machine."""
    folder = tmp_path_factory.mktemp("registry")
    port = free_port()
    config = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    (folder / "config.yml").write_text(json.dumps(config), "utf-8")
    server = subprocess.Popen([REGISTRY, "serve", folder / "config.yml"], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            if answers(port):
                break
            time.sleep(0.1)
        yield f"localhost:{port}"
    finally:
        server.kill()
        server.wait()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/v2/", trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def pushed(registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Push one image; return its address by digest and the folder with the requests."""
    out = tmp_path_factory.mktemp("deploy")
    command = [
        sys.executable,
        "-m",
        "deploy.ecr",
        "shots",
        "--flavor",
        FLAVOR,
        "--registry",
        registry,
        "--out",
        str(out),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    uri = done.stdout.splitlines()[0]
    yield uri, out / f"reelwarden-shots-{FLAVOR}"
    run("docker", "rmi", "--force", *tagged(registry), uri, check=False)


def tagged(registry: str) -> list[str]:
    """Return the local names under which the image was pushed."""
    return run(
        "docker", "image", "ls", "--format={{.Repository}}:{{.Tag}}", f"{registry}/reelwarden-shots"
    ).stdout.split()


def test_an_image_comes_back_by_digest_as_it_was_sent(registry: str, pushed: tuple[str, Path]) -> None:
    uri, _ = pushed
    assert uri.startswith(f"{registry}/reelwarden-shots@sha256:")
    (name,) = tagged(registry)
    commit = run("docker", "image", "inspect", f"--format={REVISION}", IMAGE).stdout.strip()
    assert name.startswith(f"{registry}/{IMAGE}-{commit[:12]}")
    run("docker", "rmi", name)
    run("docker", "pull", uri)
    inspect = ("docker", "image", "inspect", "--format={{.Id}}")
    assert run(*inspect, uri).stdout == run(*inspect, IMAGE).stdout
    assert run("docker", "run", "--rm", "--network=none", uri, "version").stdout.strip() == VERSION


def test_the_requests_name_the_image_by_its_digest(pushed: tuple[str, Path]) -> None:
    uri, requests = pushed
    model = json.loads((requests / "CreateModel.json").read_text("utf-8"))
    job = json.loads((requests / "CreateProcessingJob.json").read_text("utf-8"))
    assert model["PrimaryContainer"]["Image"] == uri
    assert job["AppSpecification"]["ImageUri"] == uri


def test_what_the_registry_has_is_not_sent_again(registry: str, pushed: tuple[str, Path]) -> None:
    """The images of a set differ in weights and code, and share what is below."""
    target = f"{registry}/reelwarden-labels:{VERSION}"
    run("docker", "tag", f"reelwarden-labels:{FLAVOR}", target)
    said = run("docker", "push", target).stdout
    run("docker", "rmi", target)
    layers = [line for line in said.splitlines() if line.endswith(("Pushed", "exists")) or "Mounted from" in line]
    assert len([line for line in layers if line.endswith("Pushed")]) == 2  # the weights, and the list of what is inside
    assert len(layers) == 6
