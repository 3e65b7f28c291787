"""Models of a few kilobytes, and manifests that point to them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from model_zoo.manifest import ModelSpec, read
from model_zoo.weights import WeightPlaces

CONTENT = bytes(range(256)) * 64
SIDE = 8  # of the pictures that the entry below takes
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def write_manifest(
    folder: Path, sources: Sequence[str | Sequence[str]], name: str = "tiny", content: bytes = CONTENT, more: str = ""
) -> Path:
    """Write a manifest with one model of this content."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(
        f"""
[{name}]
domain = "moderation"
role = "nsfw_score"
title = "a few bytes"
decoder = "opennsfw"
sources = {json.dumps(list(sources))}
sha256 = "{hashlib.sha256(content).hexdigest()}"
size_bytes = {len(content)}
outputs = ["scores"]
file_name = "{name}.onnx"
{more}
licence = {{ weights = "MIT", code = "MIT", commercial = true }}
input = {{ name = "pixels", width = 8, height = 8, fit = "stretch" }}
""",
        encoding="utf-8",
    )
    return path


def network(columns: int = 2, repeats: int = 1) -> bytes:
    """Return a graph from uint8 pictures to the means of their first `columns` channels, each row `repeats` times."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers"], ["means"], axes=[1, 2], keepdims=0),
        helper.make_node("Slice", ["means", "first", "last", "axis"], ["row"]),
        helper.make_node("Concat", ["row"] * repeats, ["scores"], axis=0),
    ]
    constants = {"first": 0, "last": columns, "axis": 1}
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["M", columns])],
        [onnx.numpy_helper.from_array(np.array([value]), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def tiny(folder: Path, *sources: str | Sequence[str], name: str = "tiny", content: bytes = CONTENT) -> ModelSpec:
    """Return a model of this content that can be had from these sources."""
    (spec,) = read(write_manifest(folder, sources, name, content))
    return spec


def places_in(folder: Path, offline: bool = False) -> WeightPlaces:
    """Return empty places for weights."""
    return WeightPlaces(folder / "model", folder / "cache", offline)


def tiny_with_tokenizer(folder: Path, archive: str, tokenizer: bytes, source: str = "") -> ModelSpec:
    """Return a model whose weights and tokenizer lie in one archive, the tokenizer elsewhere if `source` says so."""
    sha256 = hashlib.sha256(tokenizer).hexdigest()
    sources = json.dumps([source or f"file:{archive}#inside/tokenizer.json"])
    more = (
        f'further_files = [{{ sources = {sources}, file_name = "tokenizer.json", sha256 = "{sha256}", '
        f"size_bytes = {len(tokenizer)} }}]"
    )
    (spec,) = read(write_manifest(folder, [f"file:{archive}#inside/weights"], more=more))
    return spec
