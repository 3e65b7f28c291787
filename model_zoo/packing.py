"""Pack weights into a `model.tar.gz`: what SageMaker unpacks into /opt/ml/model, and what fills a cache offline."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from model_zoo.manifest import ModelSpec
from model_zoo.weights import files_at, licence_texts

CONTENTS = "MANIFEST.json"
_FAST = 1  # weights hardly shrink, whatever the effort


def pack(specs: Sequence[ModelSpec], paths: Mapping[str, Path], out: Path) -> None:
    """Write the checked weights `paths` (by model name) with their licence texts to `out`.

    Members: MANIFEST.json, NAME/FILE of every file, NAME/LICENSE.json, NAME/LICENSES/*; plain files only. The same
    weights give the same bytes: members are sorted, owner and time are zero.
    """
    ordered = sorted(specs, key=lambda spec: spec.name)
    members: dict[str, bytes | Path] = {CONTENTS: _json([_entry(spec) for spec in ordered])}
    for spec in ordered:
        for name, path in files_at(spec, paths[spec.name]).items():
            members[f"{spec.name}/{name}"] = path
        members[f"{spec.name}/LICENSE.json"] = _json(spec.licence.model_dump())
        for name, text in licence_texts(paths[spec.name]).items():
            members[f"{spec.name}/LICENSES/{name}"] = text
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.part")
    try:
        with (
            unfinished.open("wb") as file,
            gzip.GzipFile("", "wb", _FAST, file, mtime=0) as zipped,
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for name in sorted(members):
                _add(tar, name, members[name])
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)


def _entry(spec: ModelSpec) -> dict[str, object]:
    return {
        "name": spec.name,
        "domain": spec.domain,
        "role": spec.role,
        "file": f"{spec.name}/{spec.file_name}",
        "sha256": spec.sha256,
        "size_bytes": spec.size_bytes,
        "further_files": [
            {"file": f"{spec.name}/{file.file_name}", "sha256": file.sha256, "size_bytes": file.size_bytes}
            for file in spec.further_files
        ],
        "licence": spec.licence.weights,
        "sources": [" + ".join(map(str, source)) for source in spec.sources],
    }


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def _add(tar: tarfile.TarFile, name: str, content: bytes | Path) -> None:
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    if isinstance(content, bytes):
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
        return
    info.size = content.stat().st_size
    with content.open("rb") as file:
        tar.addfile(info, file)
