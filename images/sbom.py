"""What an image holds, as CycloneDX: Python packages with the libraries in them, Debian's packages and the weights."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from images.wheel_libraries import component, normal, table, wheel_of, whole_licence
from model_zoo.manifest import ModelSpec
from serve.version import VERSION

_INSIDE = "/opt/reelwarden/sbom.cdx.json"  # the Python packages, written by cyclonedx-py when they were installed
# auditwheel's folders beside the packages, one line of sha256 and path for each file
_LIBRARIES = "cd /opt/reelwarden/venv/lib/python3*/site-packages && sha256sum *.libs/*"
_DEBIAN = "dpkg-query --show --showformat '${Package} ${Version} ${Architecture}\\n'"


def write_sbom(image: str, runtime: str, specs: Sequence[ModelSpec], out: Path) -> None:
    """Write the list of what `image` will hold: what `runtime`, which it is built on, has, and the weights `specs`."""
    sbom = json.loads(_run_inside(runtime, f"cat {_INSIDE}"))
    sbom["metadata"]["component"] = {"type": "container", "bom-ref": image, "name": image, "version": VERSION}
    add_libraries(sbom["components"], _run_inside(runtime, _LIBRARIES))
    sbom["components"] += [_debian(line) for line in _run_inside(runtime, _DEBIAN).splitlines()]
    sbom["components"] += [_weights(spec) for spec in specs]
    out.write_text(json.dumps(sbom, indent=1, sort_keys=True) + "\n", "utf-8")


def add_libraries(packages: Sequence[dict[str, Any]], checksums: str) -> None:
    """Put the libraries of `checksums` (sha256, two spaces, PACKAGE.libs/FILE) into the components of their packages.

    Where they change what a wheel may be given on under, its licence becomes the one of the whole.
    """
    by_name = {normal(package["name"]): package for package in packages}
    for line in checksums.splitlines():
        sha256, path = line.split(maxsplit=1)
        by_name[wheel_of(path)].setdefault("components", []).append(component(path, sha256))
    for wheel in table()["wheels"]:
        if wheel in by_name:
            by_name[wheel]["licenses"] = [{"expression": whole_licence(wheel), "acknowledgement": "concluded"}]


def _debian(line: str) -> dict[str, Any]:
    name, version, architecture = line.split()
    purl = f"pkg:deb/debian/{name}@{version}?arch={architecture}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _weights(spec: ModelSpec) -> dict[str, Any]:
    return {
        "type": "machine-learning-model",
        "bom-ref": f"weights:{spec.name}",
        "name": spec.name,
        "description": spec.title,
        "hashes": [{"alg": "SHA-256", "content": spec.sha256}],
        "licenses": [{"license": {"id": spec.licence.weights}}],
    }


def _run_inside(image: str, command: str) -> str:
    arguments = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c", command]
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
