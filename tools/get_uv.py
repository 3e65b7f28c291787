"""Put the locked release of uv into a folder, with nothing but Python 3.11's standard library.

    python3 tools/get_uv.py FOLDER      afterwards FOLDER/bin/uv runs

pip is used where it is there, because it knows the user's own index, proxy and certificates; else the wheel is read
from the address in uv.lock. Either way its version, and without pip its sha256, are the locked ones.
"""

from __future__ import annotations

import hashlib
import io
import platform
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "uv.lock"
TIMEOUT_SECONDS = 120.0


def main() -> None:
    """Install uv into the folder given as the only argument."""
    folder = Path(sys.argv[1])
    package = next(p for p in tomllib.loads(LOCK.read_text("utf-8"))["package"] if p["name"] == "uv")
    if not with_pip(package["version"], folder):
        from_lock(package, folder)
    (folder / "bin" / "uv").chmod(0o755)


def with_pip(version: str, folder: Path) -> bool:
    """Install by pip, if this Python has one that can."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        return False
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", str(folder)]
    return subprocess.run([*command, f"uv=={version}"], check=False).returncode == 0


def from_lock(package: dict, folder: Path) -> None:
    """Download the locked wheel for this machine, check it and unpack it."""
    wheel = next((w for w in package["wheels"] if fits(w["url"].rsplit("/", 1)[1])), None)
    if wheel is None:
        sys.exit(
            f"uv has no wheel for {platform.system()} {platform.machine()}; install uv yourself and put it on PATH"
        )
    with urllib.request.urlopen(wheel["url"], timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - from uv.lock
        content = answer.read()
    found = "sha256:" + hashlib.sha256(content).hexdigest()
    if found != wheel["hash"]:
        sys.exit(f"{wheel['url']}: {found}, uv.lock says {wheel['hash']}; is something rewriting downloads?")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if name.endswith(("/scripts/uv", "/scripts/uvx")):
                place = folder / "bin" / name.rsplit("/", 1)[1]
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(archive.read(name))


def fits(wheel: str) -> bool:
    """Say whether a wheel's file name is for this machine (glibc Linux or macOS)."""
    system = {"Linux": "manylinux", "Darwin": "macosx"}.get(platform.system(), "no such system")
    return system in wheel and wheel.endswith(f"{platform.machine()}.whl")


if __name__ == "__main__":
    main()
