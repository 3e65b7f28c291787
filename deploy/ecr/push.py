"""Push local images with Docker, and learn the digest under which the registry keeps each."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.ecr.registry import Login

_LETTERS = 12  # of a commit or a hash: enough to tell it from all others


@contextmanager
def logged_in(login: Login | None) -> Iterator[dict[str, str]]:
    """Yield an environment in which Docker is logged in; the password is kept nowhere afterwards."""
    if login is None:
        yield dict(os.environ)
        return
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "DOCKER_CONFIG": folder}
        command = ["docker", "login", "--username", login.user, "--password-stdin", login.registry]
        _run(command, environment, typed=login.password)
        yield environment


def push(image: str, repository: str, environment: dict[str, str]) -> str:
    """Push the local `image` to REGISTRY/REPOSITORY under a tag of its own; return its name there by digest."""
    target = f"{repository}:{own_tag(image, environment)}"
    _run(["docker", "tag", image, target], environment)
    said = _run(["docker", "push", target], environment)
    digest = re.search(r"digest: (sha256:[0-9a-f]{64})", said)
    if digest is None:
        sys.exit(f"docker push {target} named no digest: {said.strip()[-500:]}")
    return f"{repository}@{digest[1]}"


def own_tag(image: str, environment: dict[str, str]) -> str:
    """Return the tag of `image` with the commit that was built and a part of its own hash.

    No other image ever has it: registries that forbid to move a tag take the next build of the same version, too.
    """
    facts = '{{.Id}} {{index .Config.Labels "org.opencontainers.image.revision"}}'
    hashed, commit = _run(["docker", "image", "inspect", f"--format={facts}", image], environment).split()
    commit, dirty, _ = commit.partition("-dirty")
    parts = (image.rpartition(":")[2], commit[:_LETTERS] + dirty, hashed.removeprefix("sha256:")[:_LETTERS])
    return "-".join(parts)


def _run(command: list[str], environment: dict[str, str], typed: str | None = None) -> str:
    """Return what a command printed; a failed one ends the program with the reason."""
    done = subprocess.run(command, env=environment, input=typed, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
