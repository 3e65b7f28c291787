# /// script
# requires-python = "==3.11.*"
# dependencies = ["numpy==2.4.6", "onnx==1.23.2", "onnxruntime==1.32.0", "pillow==12.0.0", "pip==26.3"]
# ///
"""NSFWJS (MobileNetV2, five classes): 8-bit TensorFlow.js weights to one ONNX file that keeps the 8-bit codes."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.onnx_tools import GraphBuilder, float_output, pixels_input
from export.packages import npm_member
from export.recipes.pictures import pictures, pictures_folder, stretched
from export.recipes.publish import (
    Conversion,
    check_batches,
    check_parity,
    largest_difference,
    publish,
    run,
    session,
)
from export.recipes.tfjs import RUNTIME, StoredWeight, read_weights, run_tfjs
from model_zoo.errors import WeightsError

PACKAGE, VERSION, FOLDER = "nsfwjs", "4.4.0", "dist/models/mobilenet_v2"
TOPOLOGY_SHA256 = "c32f104fd562b08cdff5ed69dfe1209643afa47e792fb12751d2949aa61a397a"
WEIGHTS_SHA256 = "ef2e0a63f7d2c4960b37b024b669313f65d3c45cd59e9042636c55b39de53517"
LICENCE_SHA256 = "2f7fe40b4f0d97020f0a0dc2214d637471f6204e565eb83e9fd414f0e5287d94"
CONVERSION = Conversion(
    name="nsfwjs_mobilenet_v2",
    domain="moderation",
    source=f"npm {PACKAGE}=={VERSION} {FOLDER}/group1-shard1of1.min.js",
    source_sha256=WEIGHTS_SHA256,
    licence="MIT",
    parity_against=RUNTIME,
)
ROUTE = f"""NSFWJS MobileNetV2: Copyright (c) 2019 Infinite Red, Inc., https://github.com/infinitered/nsfwjs, MIT.

Route of the weights: published by Infinite Red in the npm package {PACKAGE} {VERSION}; turned into this ONNX file by
export/recipes/nsfwjs_mobilenet_v2.py, which keeps the 8-bit codes and folds batch normalisation into scale and bias.
"""

SIDE = 224
CLASSES = ("Drawing", "Hentai", "Neutral", "Porn", "Sexy")
EPSILON = 1e-3  # of batch normalisation
HALVING = ("block_1", "block_3", "block_6", "block_13")
BLOCKS = ("expanded_conv", *(f"block_{number}" for number in range(1, 17)))
TOLERANCE = 1e-5

Weights = dict[str, StoredWeight]


def read_topology(script: str) -> dict[str, Any]:
    """Turn the one object literal of a browser script into the JSON it stands for, without running it."""
    start = script.index("a.exports=") + len("a.exports=")
    literal = script[start : script.index("}]}]}", start) + len("}]}]}")]
    quoted = re.sub(r"([{,])([A-Za-z_]\w*):", r'\1"\2":', literal).replace("!1", "false").replace("!0", "true")
    topology: dict[str, Any] = json.loads(re.sub(r"([:\[,]-?)\.(\d)", r"\g<1>0.\2", quoted))
    return topology


def read_shard(script: str) -> bytes:
    """Decode the one long base64 string of a browser script."""
    found = re.findall(r'"([A-Za-z0-9+/]{1000,}=*)"', script)
    if len(found) != 1:
        raise WeightsError(f"the weight script holds {len(found)} long base64 strings, expected 1; fetch it again")
    return base64.b64decode(found[0])


def build(weights: Weights) -> GraphBuilder:
    """Write MobileNetV2 and its three dense layers down as ONNX."""
    graph = GraphBuilder(CONVERSION.name)
    value = convolution(graph, weights, "Conv1", "bn_Conv1", graph.picture((0, 0, 0), (255, 255, 255)), stride=2)
    for block in BLOCKS:
        value = inverted_residual(graph, weights, block, value)
    value = convolution(graph, weights, "Conv_1", "Conv_1_bn", value)  # (N, 1280, 7, 7)
    value = graph.node("Flatten", [graph.node("GlobalAveragePool", [value])])
    value = graph.node("Relu", [dense(graph, weights, "dense_1", value)])
    value = graph.node("Relu", [dense(graph, weights, "dense_2", value)])
    graph.node("Softmax", [dense(graph, weights, "dense_3", value)], {"axis": 1}, output="scores")
    if weights:
        raise WeightsError(f"weights left over: {sorted(weights)}; compare BLOCKS with the source")
    return graph


def inverted_residual(graph: GraphBuilder, weights: Weights, block: str, value: str) -> str:
    """Apply expansion, depthwise convolution and projection, and add the input back where the shape allows it."""
    entry, channels = value, None
    if block != BLOCKS[0]:
        channels = weights[f"{block}_expand/kernel"].codes.shape[2]
        value = convolution(graph, weights, f"{block}_expand", f"{block}_expand_BN", value)
    stride = 2 if block in HALVING else 1
    value = convolution(graph, weights, f"{block}_depthwise", f"{block}_depthwise_BN", value, stride)
    same = weights[f"{block}_project/kernel"].codes.shape[3] == channels and stride == 1
    value = convolution(graph, weights, f"{block}_project", f"{block}_project_BN", value, bounded=False)
    return graph.node("Add", [entry, value]) if same else value


def convolution(
    graph: GraphBuilder, weights: Weights, name: str, norm: str, value: str, stride: int = 1, *, bounded: bool = True
) -> str:
    """Apply a convolution with its batch normalisation folded in, and the 0..6 activation unless it is not bounded."""
    gamma, beta, mean, variance = (
        weights.pop(f"{norm}/{part}").values().astype(np.float64)
        for part in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    factor = gamma / np.sqrt(variance + EPSILON)
    depthwise = f"{name}/depthwise_kernel" in weights
    kernel = weights.pop(f"{name}/depthwise_kernel" if depthwise else f"{name}/kernel")
    order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
    codes = kernel.codes.transpose(order)  # (h, w, in, out) -> (out, in, h, w)
    per_filter = factor.reshape(-1, 1, 1, 1)
    inputs = [
        value,
        graph.coded_weight(codes, kernel.zero(), kernel.scale * per_filter),
        graph.constant((beta - mean * factor).astype(np.float32)),
    ]
    size = codes.shape[2]
    pads = [0, 0, 1, 1] if stride == 2 else [size // 2] * 4  # the source pads right and below before halving
    groups = len(codes) if depthwise else 1
    value = graph.node("Conv", inputs, {"strides": [stride, stride], "pads": pads, "group": groups})
    return clipped(graph, value) if bounded else value


def clipped(graph: GraphBuilder, value: str) -> str:
    """Keep values within 0 to 6."""
    return graph.node("Clip", [value, *(graph.constant(np.array(end, np.float32)) for end in (0, 6))])


def dense(graph: GraphBuilder, weights: Weights, name: str, value: str) -> str:
    """Apply a dense layer."""
    kernel = weights.pop(f"{name}/kernel")  # (in, out)
    spread = graph.coded_weight(kernel.codes, kernel.zero(), np.array(kernel.scale))
    return graph.node("Gemm", [value, spread, graph.constant(weights.pop(f"{name}/bias").values())])


def expected(topology: Mapping[str, Any], content: bytes, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Run the source in TensorFlow.js on the same pixels."""
    return run_tfjs("layers", topology, content, (pixels / 255.0).astype(np.float32))["output"]


def main() -> None:
    """Fetch, convert, compare on real pictures, and write the model."""
    folder = pictures_folder(__doc__)
    topology = read_topology(npm_member(PACKAGE, VERSION, f"{FOLDER}/model.min.js", TOPOLOGY_SHA256).decode())
    content = read_shard(npm_member(PACKAGE, VERSION, f"{FOLDER}/group1-shard1of1.min.js", WEIGHTS_SHA256).decode())
    graph = build(read_weights(topology, content))
    model = graph.model([pixels_input(SIDE)], [float_output("scores", len(CLASSES))], CONVERSION.notes())

    loaded = session(model)
    seen = {name: stretched(picture, SIDE) for name, picture in pictures(folder).items()}
    rows = np.stack(list(seen.values()))
    check_batches(loaded, {"pixels": rows[:5]})
    scores = run(loaded, {"pixels": rows})["scores"]
    for name, row in zip(seen, scores, strict=True):
        print(f"{name}: {', '.join(f'{label} {score:.3f}' for label, score in zip(CLASSES, row, strict=True))}")
    difference = largest_difference(scores, expected(topology, content, rows))
    check_parity("scores", difference, TOLERANCE)
    licence = npm_member(PACKAGE, VERSION, "LICENSE", LICENCE_SHA256).decode()
    publish(CONVERSION, model, difference, f"{ROUTE}\n{licence}")
    labels = Path("model_zoo/moderation/nsfwjs_labels.txt")
    labels.write_text("\n".join(CLASSES) + "\n", "utf-8")


if __name__ == "__main__":
    main()
