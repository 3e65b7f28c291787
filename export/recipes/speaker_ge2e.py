# /// script
# requires-python = "==3.11.*"
# dependencies = [
#     "av==18.1.0",
#     "numpy==2.4.6",
#     "onnx==1.23.2",
#     "onnxruntime==1.32.0",
#     "pip==26.3",
#     "torch==2.13.0",
# ]
# ///
"""Resemblyzer's speaker embedding (GE2E): PyTorch weights to one ONNX file that takes a waveform.

The caller raises a quiet sound to -30 dB of full scale, adds 200 samples of silence on both sides and cuts windows of
25,840 samples (160 mel frames) with a step of its choice; the mean of the windows' embeddings, brought to length 1
again, is the speaker's. Runs in any environment with torch.
"""

from __future__ import annotations

import io

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper

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
from export.recipes.spectrogram import HOP, RATE, WINDOW, power, reference_power, triangles

PACKAGE, VERSION = "Resemblyzer", "0.1.4"
MEMBER, MEMBER_SHA256 = (
    "resemblyzer/pretrained.pt",
    "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
)
LICENCE, LICENCE_SHA256 = (
    "Resemblyzer-0.1.4.dist-info/LICENSE",
    "835cbdc5bdc6c60fae874e544e7d5ba648d77d25ec72e4c2efc26b5fde0862c3",
)
CONVERSION = Conversion(
    name="speaker_ge2e",
    domain="transcription",
    source=f"PyPI {PACKAGE}=={VERSION} {MEMBER}",
    source_sha256=MEMBER_SHA256,
    licence="Apache-2.0",
    parity_against="torch 2.13.0, NumPy front end",
)
ROUTE = f"""Resemblyzer: Copyright 2019 Resemble.AI, https://github.com/resemble-ai/Resemblyzer, Apache-2.0 (below).

Route of the weights: published by Resemble.AI in the PyPI package {PACKAGE} {VERSION}; turned into this ONNX file by
export/recipes/speaker_ge2e.py, which adds the mel front end and rounds large weights to float16.
"""

FRAMES, BANDS, NUMBERS, LAYERS = 160, 40, 256, 3
SAMPLES = (FRAMES - 1) * HOP + WINDOW  # 25,840, or 1.615 seconds
FULL_SCALE_DB = -30.0
TOLERANCE = 2e-3  # float16 storage; embeddings have length 1

Weights = dict[str, NDArray[np.float32]]


def mel_bands() -> NDArray[np.float32]:
    """Return 40 bands of equal area on Slaney's mel scale, 0 to 8000 Hz: (bins, bands)."""
    log_step, knee_hertz, knee_mel = np.log(6.4) / 27, 1000.0, 15.0
    highest = knee_mel + np.log(RATE / 2 / knee_hertz) / log_step
    mels = np.linspace(0.0, highest, BANDS + 2)
    linear, steep = mels * knee_hertz / knee_mel, knee_hertz * np.exp(log_step * (mels - knee_mel))
    edges = np.where(mels < knee_mel, linear, steep)
    bands = triangles(edges, np.linspace(0, RATE / 2, WINDOW // 2 + 1))
    equal: NDArray[np.float64] = bands * 2.0 / (edges[2:] - edges[:-2])
    return equal.astype(np.float32)


def build(weights: Weights) -> GraphBuilder:
    """Write front end and network down as ONNX."""
    graph = GraphBuilder(CONVERSION.name)
    value = graph.node("MatMul", [power(graph, "waveform", WINDOW), graph.constant(mel_bands())])  # (N, 160, 40)
    value = graph.node("Transpose", [value], {"perm": [1, 0, 2]})  # (160, N, 40)
    for layer in range(LAYERS):
        value = recurrent(graph, weights, layer, value)
    value = graph.node("Gather", [value, graph.constant(np.array(-1, np.int64))], {"axis": 0})  # (N, 256)
    inputs = [value, graph.weight(weights["linear.weight"]), graph.constant(weights["linear.bias"])]
    value = graph.node("Relu", [graph.node("Gemm", inputs, {"transB": 1})])
    length = graph.node("ReduceL2", [value], {"axes": [1], "keepdims": 1})
    graph.node("Div", [value, length], output="embedding")
    return graph


def recurrent(graph: GraphBuilder, weights: Weights, layer: int, value: str) -> str:
    """Apply one LSTM layer: (T, N, C) -> (T, N, 256)."""
    entry, state, entry_bias, state_bias = (
        onnx_gates(weights[f"lstm.{name}_l{layer}"]) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    bias = graph.constant(np.concatenate([entry_bias, state_bias])[None])
    inputs = [value, graph.weight(entry[None]), graph.weight(state[None]), bias]
    value = graph.node("LSTM", inputs, {"hidden_size": NUMBERS})  # (T, 1, N, 256)
    return graph.node("Squeeze", [value, graph.constant(np.array([1], np.int64))])


def onnx_gates(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Reorder torch's gates (input, forget, cell, output) as ONNX has them (i, o, f, c)."""
    first, forget, cell, last = np.split(kernel, 4, axis=0)
    return np.concatenate([first, last, forget, cell], axis=0)


def expected(weights: Weights, waveforms: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run the source's network in PyTorch on mel bands worked out in NumPy."""
    mels = (reference_power(waveforms, WINDOW) @ mel_bands()).astype(np.float32)
    lstm = torch.nn.LSTM(BANDS, NUMBERS, LAYERS, batch_first=True)
    linear = torch.nn.Linear(NUMBERS, NUMBERS)
    for part, prefix in ((lstm, "lstm."), (linear, "linear.")):
        tensors = {name.removeprefix(prefix): torch.from_numpy(one) for name, one in weights.items()}
        part.load_state_dict({name: tensors[name] for name in part.state_dict()})
    with torch.no_grad():
        _, (hidden, _) = lstm(torch.from_numpy(mels))
        embedding = torch.relu(linear(hidden[-1]))
        result: NDArray[np.float32] = (embedding / embedding.norm(dim=1, keepdim=True)).numpy()
    return result


def windows(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Prepare a sound as the source does and cut half-overlapping windows."""
    loudness = 20 * np.log10(np.sqrt(np.mean(sound.astype(np.float64) ** 2)))
    raised = sound * 10 ** (max(0.0, FULL_SCALE_DB - loudness) / 20)
    step = FRAMES // 2 * HOP
    count = max(1, (len(sound) - SAMPLES // 4) // step)
    silence = max(0, (count - 1) * step + SAMPLES - WINDOW // 2 - len(sound))
    padded = np.pad(raised, (WINDOW // 2, silence)).astype(np.float32)
    return np.stack([padded[number * step : number * step + SAMPLES] for number in range(count)])


def main() -> None:
    """Fetch, convert, compare on real voices, and write the model."""
    folder = sounds_folder(__doc__)
    content = wheel_member(PACKAGE, VERSION, MEMBER, MEMBER_SHA256)
    state = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")["model_state"]
    weights = {name: tensor.numpy() for name, tensor in state.items()}
    waveform = helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["N", SAMPLES])
    model = build(weights).model([waveform], [float_output("embedding", NUMBERS)], CONVERSION.notes())

    loaded = session(model)
    voices = {name: windows(sound) for name, sound in sounds(folder).items()}
    rows = np.concatenate(list(voices.values()))
    check_batches(loaded, {"waveform": rows[:5]})
    embedding = run(loaded, {"waveform": rows})["embedding"]
    difference = largest_difference(embedding, expected(weights, rows))
    check_parity("embedding", difference, TOLERANCE)
    means = np.stack([run(loaded, {"waveform": one})["embedding"].mean(axis=0) for one in voices.values()])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    print(f"likeness of {', '.join(voices)}:\n{(means @ means.T).round(2)}")
    licence = wheel_member(PACKAGE, VERSION, LICENCE, LICENCE_SHA256).decode()
    publish(CONVERSION, model, difference, f"{ROUTE}\n{licence}")


if __name__ == "__main__":
    main()
