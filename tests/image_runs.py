"""Real containers of the built images, as strict as an orchestrator may make them, on a network that counts."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from images.catalog import Image

FLAVOR = os.environ.get("REELWARDEN_TEST_FLAVOR", "cpu")
HARDENED = (
    "--read-only",
    "--tmpfs=/tmp:mode=1777",
    "--user=12345:6789",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--shm-size=64m",
)


def name_of(image: Image) -> str:
    """Return the local name of a built image."""
    return f"{image.repository}:{FLAVOR}"


def run(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command of the host, with its output as text."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done


@dataclass(frozen=True, slots=True)
class Container:
    """A running container."""

    id: str
    url: str

    def ping(self) -> int:
        """Return the status of /ping, 0 where nobody answers."""
        try:
            return httpx.get(f"{self.url}/ping", timeout=2, trust_env=False).status_code
        except httpx.TransportError:
            return 0

    def wait_until_ready(self, seconds: float = 240.0) -> float:
        """Wait for the first 200 of /ping; return how many seconds that took."""
        start = time.monotonic()
        while self.ping() != httpx.codes.OK:
            state = self.state()
            waited = time.monotonic() - start
            assert state["Running"] and waited < seconds, f"{state['ExitCode']} after {waited:.0f} s: {self.logs()}"  # noqa: PT018
            time.sleep(0.05)
        return time.monotonic() - start

    def state(self) -> dict[str, object]:
        """Return what Docker knows of the process."""
        state: dict[str, object] = json.loads(run("docker", "inspect", "--format={{json .State}}", self.id).stdout)
        return state

    def logs(self) -> str:
        """Return everything it printed."""
        done = run("docker", "logs", self.id)
        return done.stdout + done.stderr

    def changed(self) -> list[str]:
        """Return the paths that were written to outside of mounts."""
        return run("docker", "diff", self.id).stdout.splitlines()

    def stop(self, grace_seconds: int = 30) -> float:
        """Send SIGTERM, and SIGKILL after the grace; return how many seconds it took to end."""
        start = time.monotonic()
        run("docker", "stop", f"--time={grace_seconds}", self.id)
        return time.monotonic() - start


@contextmanager
def running(image: str, options: Sequence[str] = (), command: Sequence[str] = ("serve",)) -> Iterator[Container]:
    """Start a container, and remove it however the block is left."""
    done = run("docker", "run", "--detach", *options, image, *command)
    id_ = done.stdout.strip()
    try:
        address = run("docker", "inspect", "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", id_)
        yield Container(id_, f"http://{address.stdout.strip()}:8080")
    finally:
        run("docker", "rm", "--force", "--volumes", id_)


NO_DNS = "192.0.2.53"  # of a network for documentation: nobody is there, so what asks it for a name wants out
# chain -> which packets of the containers' network it counts, and drops
FORWARDED = {"DOCKER-USER": ()}
TO_THIS_HOST = {"INPUT": ("-m", "conntrack", "--ctstate", "NEW")}  # answers to what a test asks them may pass
EVERYWHERE = FORWARDED | TO_THIS_HOST


@dataclass(frozen=True, slots=True)
class Fence:
    """A network whose containers reach nothing, and every packet that tried is counted, look-ups of names included.

    Docker answers look-ups itself, and asks on from this host where it is not told whom to ask; it is told.
    """

    name: str
    subnet: str
    host: str  # the address of this machine, as containers see it
    chains: tuple[str, ...]

    @property
    def options(self) -> tuple[str, ...]:
        """Return what puts a container behind it."""
        return (f"--network={self.name}", f"--dns={NO_DNS}")

    def attempts(self) -> int:
        """Return how many packets wanted to leave."""
        return sum(map(self._counted, self.chains))

    def _counted(self, chain: str) -> int:
        for line in run("iptables", "-nvxL", chain).stdout.splitlines():
            fields = line.split()
            if self.subnet in fields and "DROP" in fields:
                return int(fields[0])
        raise AssertionError(f"the counting rule of {chain} is gone")


@contextmanager
def fence(counted: Mapping[str, tuple[str, ...]] = EVERYWHERE) -> Iterator[Fence]:
    """Put up the network and its counting rules, and take them away again; needs root."""
    name = f"reelwarden-test-{uuid.uuid4().hex[:8]}"
    run("docker", "network", "create", name)
    addresses = "{{with index .IPAM.Config 0}}{{.Subnet}} {{.Gateway}}{{end}}"
    subnet, host = run("docker", "network", "inspect", f"--format={addresses}", name).stdout.split()
    rules = [(chain, "-s", subnet, *packets, "-j", "DROP") for chain, packets in counted.items()]
    try:
        for rule in rules:
            run("iptables", "-I", *rule)
        yield Fence(name, subnet, host, tuple(counted))
    finally:
        for rule in rules:
            run("iptables", "-D", *rule, check=False)
        run("docker", "network", "rm", name)


def files_below(folder: Path) -> dict[str, tuple[int, float]]:
    """Return size and time of every file, by relative path."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime) for path in found}
