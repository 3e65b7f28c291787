"""Read dlib's two kinds of `.dat` file that faces need, without dlib: its ResNet and its landmark predictor.

The format (dlib/serialize.h and dlib/dnn, Boost licence): an integer is a control byte (low half: how many bytes
follow; top bit: negative) and little-endian bytes; a number is mantissa and binary exponent, both integers; a text is
its length and its bytes; a flag is ASCII 0 or 1. Layers lie in the file in the order in which they are applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_zoo.errors import WeightsError

INPUT_TAG = "input_rgb_image_sized"
NOT_FINITE = 32000  # exponents from here on stand for infinities


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer as stored: dlib's own name for its kind, and its two parameter arrays where it has them."""

    tag: str
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]


class DatReader:
    """Read dlib's serialisation from start to end; `position` is the next byte."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.position = 0

    def integer(self) -> int:
        """Read one signed integer."""
        control = self.content[self.position]
        size = control & 0x0F
        if control & 0x70 or not 1 <= size <= 8:
            raise WeightsError(
                f"byte {self.position} is {control:#04x}, not the start of a dlib integer; fetch the file again"
            )
        value = int.from_bytes(self.content[self.position + 1 : self.position + 1 + size], "little")
        self.position += 1 + size
        return -value if control & 0x80 else value

    def integers(self, count: int) -> list[int]:
        """Read several integers."""
        return [self.integer() for _ in range(count)]

    def number(self) -> float:
        """Read one floating point number."""
        mantissa, exponent = self.integers(2)
        return float("inf") if exponent >= NOT_FINITE else float(mantissa) * 2.0**exponent

    def numbers(self, count: int) -> list[float]:
        """Read several floating point numbers."""
        return [self.number() for _ in range(count)]

    def text(self) -> str:
        """Read one short text."""
        size = self.integer()
        self.position += size
        return self.content[self.position - size : self.position].decode("ascii")

    def expect(self, wanted: int, what: str) -> None:
        """Read an integer that must have a certain value."""
        if (found := self.integer()) != wanted:
            raise WeightsError(f"{what} is {found}, this reader knows {wanted}; use the file that the recipe names")

    def tensor(self) -> NDArray[np.float32]:
        """Read one four-dimensional tensor."""
        self.expect(2, "the tensor version")
        shape = self.integers(4)
        values = np.frombuffer(self.content, "<f4", int(np.prod(shape)), self.position).reshape(shape)
        self.position += 4 * values.size
        return values

    def shape(self) -> list[int]:
        """Read how a part of a tensor is to be seen."""
        self.expect(1, "the alias version")
        return self.integers(4)

    def matrix(self) -> NDArray[np.float32]:
        """Read one matrix; dlib marks its layout by negative sizes."""
        rows, columns = (abs(size) for size in self.integers(2))
        return np.array(self.numbers(rows * columns), np.float32).reshape(rows, columns)

    def finish(self) -> None:
        """Refuse a file that goes on."""
        if left := len(self.content) - self.position:
            raise WeightsError(f"{left} bytes are left over; use the file that the recipe names")


def read_network(content: bytes) -> tuple[list[float], list[Layer]]:
    """Read a metric-learning network: the colour mean (red, green, blue) and its layers from first to last."""
    reader = DatReader(content)
    reader.expect(1, "the network version")
    if (tag := reader.text()) != "loss_metric_2":
        raise WeightsError(f"the network ends in {tag}, expected loss_metric_2; use the file that the recipe names")
    reader.numbers(2)  # margin and distance threshold of the loss
    mark = bytes([1, len(INPUT_TAG)]) + INPUT_TAG.encode()  # one version number per layer comes before it
    reader.position = content.index(mark, reader.position) + len(mark)
    mean = reader.numbers(3)
    reader.integers(2)  # height and width
    layers = [read_layer(reader, first=True)]
    while layers[-1].tag != "fc_2":
        layers.append(read_layer(reader))
    return mean, layers


def read_layer(reader: DatReader, *, first: bool = False) -> Layer:
    """Read one layer with the state that training left around it."""
    tag = reader.text()
    weights = bias = np.zeros(0, np.float32)
    if tag == "con_4":
        values = reader.tensor().ravel()
        reader.integers(7)  # filters, kernel, stride, padding: known from the architecture
        weights, bias = parted(values, reader.shape(), reader.shape())
        reader.numbers(4)  # learning rates
    elif tag == "affine_":
        values = reader.tensor().ravel()
        weights, bias = parted(values, reader.shape(), reader.shape())
        reader.integer()
    elif tag == "fc_2":
        reader.integers(2)
        weights = np.squeeze(reader.tensor(), (2, 3))  # (in, out)
        reader.shape(), reader.shape()
        reader.integer()
        reader.numbers(4)
    elif tag in {"max_pool_2", "avg_pool_2"}:
        reader.integers(6)
    elif tag not in {"relu_", "add_prev_"}:
        raise WeightsError(f"layer {tag!r} is unknown to this reader; use the file that the recipe names")
    reader.position += 3  # three flags
    for _ in range(3):
        reader.tensor()  # gradients and cached output
    if first:
        reader.integer()
    return Layer(tag, weights, bias)


def parted(values: NDArray[np.float32], first: list[int], second: list[int]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Cut a parameter tensor into weights of the first shape and a flat bias of the second."""
    size = int(np.prod(first))
    if size + int(np.prod(second)) != values.size:
        raise WeightsError(f"{values.size} parameters do not make {first} and {second}; fetch the file again")
    return values[:size].reshape(first), values[size:]


def read_landmarks(content: bytes) -> dict[str, NDArray[Any]]:
    """Read a cascade of regression trees (C cascades, T trees, P probed pixels, M points).

    `start` (M, 2) are the mean points in the unit face box; `anchor` (C, P) and `offset` (C, P, 2) say where a pixel
    lies relative to a point; `first`, `second` and `threshold` (C, T, splits) compare two pixels; `leaf`
    (C, T, leaves, 2 M) moves the points.
    """
    reader = DatReader(content)
    reader.expect(1, "the predictor version")
    start = reader.matrix().reshape(-1, 2)
    splits, leaves = [], []
    for _ in range(reader.integer()):
        trees = [read_tree(reader) for _ in range(reader.integer())]
        splits.append([tree[0] for tree in trees])
        leaves.append([tree[1] for tree in trees])
    anchors = [reader.integers(reader.integer()) for _ in range(reader.integer())]
    offsets = [[reader.numbers(2) for _ in range(reader.integer())] for _ in range(reader.integer())]
    reader.finish()
    split = np.array(splits, np.float64)
    return {
        "start": start,
        "anchor": np.array(anchors, np.int8),
        "offset": np.array(offsets, np.float32),
        "first": split[..., 0].astype(np.int16),
        "second": split[..., 1].astype(np.int16),
        "threshold": split[..., 2].astype(np.float32),
        "leaf": np.array(leaves, np.float32),
    }


def read_tree(reader: DatReader) -> tuple[list[tuple[int, int, float]], list[NDArray[np.float32]]]:
    """Read one tree: its splits, as two pixels and a threshold, and its leaves."""
    splits = [(reader.integer(), reader.integer(), reader.number()) for _ in range(reader.integer())]
    return splits, [reader.matrix().ravel() for _ in range(reader.integer())]
