"""A manifest entry as text: what `reelwarden` reads to use a file that was exported."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from export.weights import folder_of
from model_zoo.manifest import ModelSpec, read

_TABLES = ("licence", "input", "sound", "text", "precisions", "conversion")
_LISTS = ("coverage",)
_ALWAYS = {"input": {"name", "width", "height", "fit", "dtype", "layout", "colour"}, "licence": {"weights", "code"}}
_HEAD = """# Written by `python -m export`; every key is explained in docs/models.md. To use it:
#   export REELWARDEN_MANIFESTS={path}
#   export REELWARDEN_MODELS={domain}.{role}={name}
"""


def write_entry(spec: ModelSpec, model: Path) -> ModelSpec:
    """Write the manifest of an exported file beside it, under the same stem; return the entry as it is read back."""
    content = model.read_bytes()
    told = spec.model_copy(update={"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)})
    path = model.with_suffix(".toml")
    head = _HEAD.format(path=path.name, domain=spec.domain, role=spec.role, name=spec.name)
    path.write_text(head + "\n" + "\n".join(_lines(told, model.name)) + "\n", "utf-8")
    return read(path)[0]


def derived(spec: ModelSpec, precision: str, folder: Path) -> ModelSpec:
    """Return the entry of a model in another precision; what its text input needs is laid into the folder.

    Quality that was measured, and the recipe, are of the file it comes from, and are left out.
    """
    update: dict[str, Any] = {"name": f"{spec.name}_{precision}", "title": f"{spec.title}, {precision}"}
    update |= {"default": False, "upstream_quality": (), "conversion": None, "labels_file": "", "further_files": ()}
    if spec.text is not None:
        vocabulary = spec.vocabulary_path(folder_of(spec))
        own = vocabulary.parent != spec.manifest.parent  # many models call theirs tokenizer.json
        beside = folder / (f"{spec.name}.{vocabulary.name}" if own else vocabulary.name)
        if not (beside.exists() and beside.samefile(vocabulary)):
            shutil.copyfile(vocabulary, beside)
        update["text"] = spec.text.model_copy(update={"vocabulary_file": beside.name})
    return spec.model_copy(update=update)


def _lines(spec: ModelSpec, file_name: str) -> Iterator[str]:
    key = spec.name if "." not in spec.name else _value(spec.name)
    told = spec.model_dump(mode="python", exclude_none=True)
    yield f"[{key}]"
    for name in ("domain", "role", "title", "decoder"):
        yield f"{name} = {_value(told[name])}"
    yield f"sources = {_value([f'file:{file_name}'])}"
    for name in ("sha256", "size_bytes", "outputs", "labels", "batch"):
        if told[name]:
            yield f"{name} = {_value(told[name])}"
    for table in _TABLES:
        if entries := told.get(table):
            yield from ("", f"[{key}.{table}]")
            unsaid = getattr(spec, table)
            for name, value in entries.items():
                if table in ("precisions", "conversion") or name in _said(unsaid, table):
                    yield f"{name} = {_value(value)}"
    for table in _LISTS:
        for entry in told[table]:
            yield from (
                "",
                f"[[{key}.{table}]]",
                *(f"{name} = {_value(value)}" for name, value in entry.items() if value),
            )


def _said(table: Any, name: str) -> set[str]:
    """Return the keys whose value is not the default, and those that a reader wants to see."""
    return set(table.model_dump(exclude_defaults=True)) | _ALWAYS.get(name, set())


def _value(value: Any) -> str:
    if isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)  # TOML's strings are JSON's
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    return repr(value)
