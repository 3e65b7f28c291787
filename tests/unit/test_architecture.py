"""The folders are the architecture: imports go one way, and files stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

MAY_IMPORT = {
    "model_zoo": {"model_zoo"},
    "serve": {"serve", "model_zoo"},
    "export": {"export", "model_zoo"},
}
OURS = {"serve", "model_zoo", "export", "benchmarks", "deploy", "tests"}
TRAINING_LIBRARIES = {
    "torch",
    "torchvision",
    "ultralytics",
    "insightface",
    "transformers",
    "tensorflow",
    "tf2onnx",
    "h5py",
}
ZOO_NEEDS = {"numpy", "pydantic", "httpx", "filelock", "platformdirs", "boto3", "botocore"}
ZOO_EXCEPTIONS = {"model_zoo/shots": {"scenedetect"}, "model_zoo/toxicity": {"tokenizers"}}  # docs/decisions/0003, 0010
MOST_LINES = 400


def sources(package: str) -> Iterator[Path]:
    return (ROOT / package).rglob("*.py")


def imported(path: Path) -> set[str]:
    """Return the top-level names a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_go_one_way(package: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): sorted(strangers)
        for path in sources(package)
        if (strangers := (imported(path) & OURS) - MAY_IMPORT[package])
    }
    assert not wrong


def test_training_libraries_are_imported_only_where_models_are_made() -> None:
    wrong = [
        path for package in ("serve", "model_zoo") for path in sources(package) if imported(path) & TRAINING_LIBRARIES
    ]
    assert not wrong


def test_the_zoo_needs_little() -> None:
    import sys

    known = ZOO_NEEDS | {"model_zoo"} | set(sys.stdlib_module_names)
    wrong = {}
    for path in sources("model_zoo"):
        name = path.relative_to(ROOT).as_posix()
        allowed = set().union(*(extra for folder, extra in ZOO_EXCEPTIONS.items() if name.startswith(folder)))
        if strangers := imported(path) - known - allowed:
            wrong[name] = sorted(strangers)
    assert not wrong


def test_no_file_is_long() -> None:
    long = {str(path.relative_to(ROOT)): lines for package in OURS for path in sources(package)
            if (lines := len(path.read_text("utf-8").splitlines())) > MOST_LINES}  # fmt: skip
    assert not long


def test_the_serving_code_knows_no_label() -> None:
    words = ("nudity", "weapon", "nsfw", "explicit", "imagenet", "coco")
    wrong = {str(path.relative_to(ROOT)): word for path in sources("serve") for word in words if word in _names(path)}
    assert not wrong


def _names(path: Path) -> str:
    """Return the names and attributes that a file uses, in lower case."""
    tree = ast.parse(path.read_text("utf-8"))
    parts = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    parts += [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return " ".join(parts).lower()


def test_what_not_every_image_has_is_loaded_only_where_it_is_used() -> None:
    optional = {"cv2", "scenedetect", "ctranslate2", "faster_whisper", "tokenizers", "cupy", "boto3"}
    code = "import sys, serve.cli, serve.cli_serve, serve.server, serve.pipeline; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not optional & set(loaded)
