"""The shared libraries inside of wheels, which the metadata of their packages do not tell of."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from images.catalog import ROOT

TABLE = ROOT / "images" / "wheel_libraries.toml"
UNKNOWN = "NOASSERTION"
# libopencore-amrnb-d72c52e2.so.0.0.5, libopenblasp-r0-59ffcd50.3.15.so: a name, what auditwheel put in, a version
_FILE = re.compile(r"(?P<name>.+?)(?:-r\d+)?(?:-[0-9a-f]{8})*-?(?:\.(?P<before>[\d.]+))?\.so(?:\.(?P<after>[\w.]+))?")


@cache
def table() -> dict[str, Any]:
    """Return the table of libraries and of wheels whose licence they change."""
    return tomllib.loads(TABLE.read_text("utf-8"))


def whole_licence(wheel: str) -> str:
    """Return the SPDX expression that a wheel of the table may be given on under, with all that is in it."""
    facts = table()["wheels"][wheel]
    return f"{facts['declared']} AND {facts['as_a_whole']}"


def wheel_of(path: str) -> str:
    """Return the normal name of the package that `PACKAGE.libs/FILE` came with."""
    return normal(PurePosixPath(path).parent.name.removesuffix(".libs"))


def normal(package: str) -> str:
    """Return the one spelling of a package's name, as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", package).lower()


def component(path: str, sha256: str) -> dict[str, Any]:
    """Return the CycloneDX component of the library at `PACKAGE.libs/FILE`."""
    name, version = name_and_version(PurePosixPath(path).name)
    known = table()["libraries"].get(name, {})
    licence = known.get("licence", UNKNOWN)
    own = table()["wheels"].get(wheel_of(path))
    if own and known.get("project") == "FFmpeg":
        licence = own["ffmpeg"]
    return {
        "type": "library",
        "bom-ref": f"wheel:{path}",
        "name": name,
        **({"version": version} if known.get("versioned") and version else {}),
        **({"description": f"of {known['project']}, inside of a wheel"} if known else {}),
        "hashes": [{"alg": "SHA-256", "content": sha256}],
        "licenses": licences(licence),
        "properties": [{"name": "io.reelwarden.path", "value": path}],
    }


def name_and_version(file: str) -> tuple[str, str]:
    """Return a library's name and the version in its file name, "" without one."""
    found = _FILE.fullmatch(file)
    if found is None:
        return file, ""
    return found["name"], found["after"] or found["before"] or ""


def licences(expression: str) -> list[dict[str, Any]]:
    """Return a licence as CycloneDX wants it: by its SPDX id, as an expression, or by a name that is neither."""
    if expression == UNKNOWN:
        return [{"license": {"name": UNKNOWN}}]
    if " " in expression:
        return [{"expression": expression}]
    return [{"license": {"id": expression}}]
