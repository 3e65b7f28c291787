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
"""Silero's voice activity detector, as faster-whisper ships it: whole windows of sound go in, in batches.

The source takes the 32 ms steps of one sound, cut by the caller, and hands its memory from call to call. Here the cut
is part of the graph and every window begins without a memory, so that rows are independent: the caller lets windows
overlap by some steps and drops those of the beginning.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

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

PACKAGE, VERSION = "faster-whisper", "1.2.1"
MEMBER, MEMBER_SHA256 = (
    "faster_whisper/assets/silero_vad_v6.onnx",
    "4cbf549b8326f60f80f2536d9eefeb450a9abe83365a098031c89719f1be17d2",
)
CONVERSION = Conversion(
    name="silero_vad",
    domain="transcription",
    source=f"PyPI {PACKAGE}=={VERSION} {MEMBER}",
    source_sha256=MEMBER_SHA256,
    licence="MIT",
    parity_against="ONNX Runtime 1.32.0 on the source",
)
STEP, CONTEXT = 512, 64  # samples: 32 ms, and what is seen of the step before
STEPS = 320  # of one window: 10.24 s
NUMBERS = 128
ENCODED, KERNELS = "/Transpose_output_0", ("onnx::LSTM_209", "onnx::LSTM_210", "onnx::LSTM_211")
TOLERANCE = 2e-2  # float16 storage, and a memory over 320 steps; probabilities that are compared with 0.5

LICENCE = """Silero VAD: MIT.

Copyright (c) 2020-present Silero Team

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.

Route of the weights: published by the Silero Team (https://github.com/snakers4/silero-vad); version 6 shipped in the
PyPI package faster-whisper 1.2.1 (MIT, SYSTRAN); turned into this ONNX file by export/recipes/silero_vad.py, which
puts the cutting of a window into steps into the graph and rounds large weights to float16.
"""

Sound = NDArray[np.float32]


def build(source: onnx.ModelProto) -> GraphBuilder:
    """Write cut, encoder, memory and answer down as ONNX."""
    graph = GraphBuilder(CONVERSION.name)
    encoder = onnx.ModelProto()
    encoder.CopyFrom(source)
    del encoder.graph.output[:]
    encoder.graph.output.append(helper.make_tensor_value_info(ENCODED, TensorProto.FLOAT, None))
    value = graph.adopt(encoder, {"input": steps(graph)})[ENCODED]  # (N * T, 1, 128)
    value = graph.node("Reshape", [value, graph.constant(np.array([-1, STEPS, NUMBERS], np.int64))])
    value = graph.node("Transpose", [value], {"perm": [1, 0, 2]})  # (N, T, 128) -> (T, N, 128)
    stored = {weight.name: numpy_helper.to_array(weight) for weight in source.graph.initializer}
    kernels = [graph.weight(stored[name]) for name in KERNELS]
    value = graph.node("LSTM", [value, *kernels], {"hidden_size": NUMBERS})  # (T, 1, N, 128)
    value = graph.node("Relu", [graph.node("Squeeze", [value, graph.constant(np.array([1], np.int64))])])
    answer = graph.constant(stored["decoder.conv1d.weight"][0])  # (128, 1)
    value = graph.node("Add", [graph.node("MatMul", [value, answer]), graph.constant(stored["decoder.conv1d.bias"])])
    value = graph.node("Transpose", [graph.node("Sigmoid", [value])], {"perm": [1, 0, 2]})  # (T, N, 1) -> (N, T, 1)
    graph.node("Squeeze", [value, graph.constant(np.array([2], np.int64))], output="speech")
    return graph


def steps(graph: GraphBuilder) -> str:
    """Cut every window into steps that begin with the end of the step before: (N, S) -> (N * T, 576)."""
    around = graph.constant(np.array([0, CONTEXT, 0, STEP - CONTEXT], np.int64))
    padded = graph.node("Pad", ["waveform", around])  # (N, (T + 1) * 512), beginning with a step's context
    halves = graph.node("Reshape", [padded, graph.constant(np.array([-1, STEPS + 1, STEP], np.int64))])
    first, rest = (cut(graph, halves, start, stop, 1) for start, stop in ((0, STEPS), (1, STEPS + 1)))
    whole = graph.node("Concat", [first, cut(graph, rest, 0, CONTEXT, 2)], {"axis": 2})  # (N, T, 576)
    return graph.node("Reshape", [whole, graph.constant(np.array([-1, STEP + CONTEXT], np.int64))])


def cut(graph: GraphBuilder, value: str, start: int, stop: int, axis: int) -> str:
    """Take a stretch of a value along an axis."""
    return graph.node("Slice", [value, *(graph.constant(np.array([one], np.int64)) for one in (start, stop, axis))])


def expected(content: bytes, windows: Sound) -> Sound:
    """Run the source on the steps of each window (N, S), its memory empty at the beginning: (N, T)."""
    loaded = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    empty = np.zeros((1, 1, NUMBERS), np.float32)
    rows = []
    for window in windows:
        cuts = window.reshape(-1, STEP)
        before = np.vstack([np.zeros((1, CONTEXT), np.float32), cuts[:-1, -CONTEXT:]])
        rows.append(loaded.run(["speech_probs"], {"input": np.hstack([before, cuts]), "h": empty, "c": empty})[0])
    return np.stack(rows).reshape(len(windows), -1)


def windows(sound: Sound) -> Sound:
    """Cut a sound into windows (N, S), the last filled up with silence."""
    size = STEPS * STEP
    return np.pad(sound, (0, -len(sound) % size)).reshape(-1, size)


def main() -> None:
    """Fetch, convert, compare on real voices, and write the model."""
    folder = sounds_folder(__doc__)
    content = wheel_member(PACKAGE, VERSION, MEMBER, MEMBER_SHA256)
    waveform = helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["N", STEPS * STEP])
    notes = CONVERSION.notes()
    model = build(onnx.load_from_string(content)).model([waveform], [float_output("speech", STEPS)], notes)

    loaded = session(model)
    rows = np.concatenate([windows(sound) for sound in sounds(folder).values()])
    check_batches(loaded, {"waveform": rows[:5]})
    difference = largest_difference(run(loaded, {"waveform": rows})["speech"], expected(content, rows))
    check_parity("speech", difference, TOLERANCE)
    publish(CONVERSION, model, difference, LICENCE)


if __name__ == "__main__":
    main()
