"""Compose 1.29 and 2 start the services that a profile names, and each becomes healthy by its own command."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator

import httpx
import pytest

from images.catalog import images
from tests.conftest import ROOT
from tests.image_runs import run
from tests.server_process import free_port

pytestmark = pytest.mark.docker
VERSIONS = {"1.29": ("docker-compose",), "2": ("docker", "compose")}  # the second: compose_plugin.sh


@pytest.fixture(params=VERSIONS)
def project(request: pytest.FixtureRequest) -> Iterator[tuple[str, ...]]:
    """Return the command for a project of its own, whose containers are removed afterwards."""
    compose = VERSIONS[request.param]
    try:
        said = subprocess.run((*compose, "version", "--short"), capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"no {' '.join(compose)}")
    assert said.startswith(f"{request.param}."), f"{' '.join(compose)} is version {said}"
    name = f"reelwarden-test-{free_port()}"
    command = (*compose, f"--project-directory={ROOT}", f"--file={ROOT}/docker-compose.yml", f"--project-name={name}")
    yield command
    run(*command, "down", "--timeout=5")


@pytest.mark.parametrize("flavor", ["cpu", "gpu"])
def test_every_service_of_a_profile_can_be_read(project: tuple[str, ...], flavor: str) -> None:
    services = run(*project, f"--profile={flavor}", "config", "--services").stdout.split()
    suffix = "" if flavor == "cpu" else "-gpu"
    assert {image.name + suffix for image in images()} <= set(services)


def test_a_profile_names_the_services_that_are_made(project: tuple[str, ...]) -> None:
    run(*project, "up", "--no-start")
    made = run(*project, "ps", "--all", "--services").stdout.split()
    ids = run(*project, "ps", "--all", "--quiet").stdout.split()
    assert len(ids) == len(images())
    assert {image.name for image in images()} <= set(made)


def test_a_service_becomes_healthy_and_answers(project: tuple[str, ...]) -> None:
    run(*project, "up", "--detach", "shots")
    (id_,) = run(*project, "ps", "--quiet", "shots").stdout.split()
    for _ in range(120):
        health = json.loads(run("docker", "inspect", "--format={{json .State.Health}}", id_).stdout)
        if health["Status"] == "healthy":
            break
        time.sleep(1)
    assert health["Status"] == "healthy", health
    port = next(name for name in run(*project, "port", "shots", "8080").stdout.split(":") if name.strip().isdigit())
    assert httpx.get(f"http://127.0.0.1:{port.strip()}/ping", trust_env=False).status_code == 200
