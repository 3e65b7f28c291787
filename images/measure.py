"""Measure the built images: `python -m images.measure [--flavor gpu]` writes images/measured.json.

Size is what Docker says of the unpacked image. A start is from `docker run` of a hardened container to the first 200 of
/ping, the middle of three. `make docs` makes a page of it.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import statistics
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from images.build import size_bytes
from images.catalog import ROOT, Image, images

OUT = ROOT / "images" / "measured.json"
STARTS = 3
MOST_SECONDS = 240.0
HARDENED = ("--read-only", "--tmpfs=/tmp", "--user=12345:6789", "--cap-drop=ALL", "--security-opt=no-new-privileges")


def main() -> None:
    """Measure every image that is built, and keep what was measured of others."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--flavor", choices=("cpu", "gpu"), default="cpu")
    flavor = parser.parse_args().flavor
    found = json.loads(OUT.read_text("utf-8")) if OUT.exists() else {"images": {}}
    for image in images():
        name = f"{image.repository}:{flavor}"
        if subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False).returncode == 0:
            found["images"][name] = figures(image, name)
    found["images"] = dict(sorted(found["images"].items()))
    found["machine"] = {"processor": processor(), "cores": os.cpu_count()}
    found["measured_at"] = datetime.now(UTC).date().isoformat()
    OUT.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


def figures(image: Image, name: str) -> dict[str, Any]:
    """Return the size and the start of one image."""
    seconds = [start_seconds(name) for _ in range(STARTS)]
    return {
        "packages": image.packages,
        "size_mb": round(size_bytes(name) / 1e6),
        "start_seconds": round(statistics.median(seconds), 1),
        "load_average": round(os.getloadavg()[0], 1),
    }


def start_seconds(name: str) -> float:
    """Return how long a container takes from `docker run` until /ping answers 200."""
    start = time.monotonic()
    command = ["docker", "run", "--detach", *HARDENED, "--publish=127.0.0.1::8080", name]
    container = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        said = subprocess.run(["docker", "port", container, "8080"], check=True, capture_output=True, text=True).stdout
        port = int(said.split(":")[1])
        while time.monotonic() - start < MOST_SECONDS:
            if ping(port) == http.HTTPStatus.OK:
                return time.monotonic() - start
            time.sleep(0.02)
        raise TimeoutError(f"{name}: not ready after {MOST_SECONDS:.0f} s")
    finally:
        subprocess.run(["docker", "rm", "--force", container], check=True, capture_output=True)


def ping(port: int) -> int:
    """Return the status of /ping, 0 where nobody answers."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/ping")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0


def processor() -> str:
    """Return the name of the processor."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
