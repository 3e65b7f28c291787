"""What an image holds, as CycloneDX: its Python packages, Debian's packages and the weights."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model_zoo.manifest import ModelSpec
from serve.version import VERSION

_INSIDE = "/opt/reelwarden/sbom.cdx.json"  # the Python packages, written by cyclonedx-py when they were installed
_DEBIAN = "dpkg-query --show --showformat '${Package} ${Version} ${Architecture}\\n'"


def write_sbom(image: str, runtime: str, specs: Sequence[ModelSpec], out: Path) -> None:
    """Write the list of what `image` will hold: what `runtime`, which it is built on, has, and the weights `specs`."""
    sbom = json.loads(_run_inside(runtime, f"cat {_INSIDE}"))
    sbom["metadata"]["component"] = {"type": "container", "bom-ref": image, "name": image, "version": VERSION}
    sbom["components"] += [_debian(line) for line in _run_inside(runtime, _DEBIAN).splitlines()]
    sbom["components"] += [_weights(spec) for spec in specs]
    out.write_text(json.dumps(sbom, indent=1, sort_keys=True) + "\n", "utf-8")


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
