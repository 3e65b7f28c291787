"""The front end of sound models, as part of the graph: a waveform becomes mel bands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from export.onnx_tools import GraphBuilder

RATE = 16_000  # samples a second
WINDOW, HOP = 400, 160  # samples: 25 and 10 milliseconds


def hann() -> NDArray[np.float64]:
    """Return the periodic Hann window."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)


def power(graph: GraphBuilder, waveform: str, fourier: int) -> str:
    """Return the power spectrum of every hop: (N, samples) -> (N, T, fourier / 2 + 1)."""
    bins = fourier // 2 + 1
    one = graph.constant(np.array([1], np.int64))
    value = graph.node("Unsqueeze", [waveform, one])  # (N, 1, samples)
    value = graph.node("Conv", [value, transform(graph, fourier)], {"strides": [HOP]})  # (N, 2 bins, T)
    parts = graph.split(value, [bins, bins], axis=1)
    value = graph.node("Add", [graph.node("Mul", [part, part]) for part in parts])
    return graph.node("Transpose", [value], {"perm": [0, 2, 1]})


def transform(graph: GraphBuilder, fourier: int) -> str:
    """Return the windowed cosines and sines, (2 bins, 1, window); worked out when the file is loaded, not stored."""
    bins = graph.constant(np.arange(fourier // 2 + 1, dtype=np.int64).reshape(-1, 1, 1))
    samples = graph.constant(np.arange(WINDOW, dtype=np.int64).reshape(1, 1, -1))
    turns = graph.node("Mod", [graph.node("Mul", [bins, samples]), graph.constant(np.array(fourier, np.int64))])
    turns = graph.node("Cast", [turns], {"to": TensorProto.FLOAT})
    angles = graph.node("Mul", [turns, graph.constant(np.array(2 * np.pi / fourier, np.float32))])
    waves = graph.node("Concat", [graph.node("Cos", [angles]), graph.node("Sin", [angles])], {"axis": 0})
    return graph.node("Mul", [waves, graph.constant(hann().astype(np.float32))])


def reference_power(waveforms: NDArray[np.float32], fourier: int) -> NDArray[np.float64]:
    """Return what `power` should, by NumPy's Fourier transform in float64."""
    frames = np.lib.stride_tricks.sliding_window_view(waveforms.astype(np.float64), WINDOW, axis=1)[:, ::HOP]
    spectrum: NDArray[np.float64] = np.abs(np.fft.rfft(frames * hann(), fourier, axis=2)) ** 2
    return spectrum


def triangles(edges: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return overlapping triangles, one per three neighbouring edges, read at the places: (places, bands)."""
    rise = (places[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - places[:, None]) / (edges[2:] - edges[1:-1])
    return np.maximum(0.0, np.minimum(rise, fall))
