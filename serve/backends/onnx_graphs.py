"""ONNX Runtime on an NVIDIA GPU with CUDA graphs, all by one thread: it keeps graphs for the thread that captures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from model_zoo.errors import BackendError, DeviceLostError
from model_zoo.manifest import ModelSpec
from model_zoo.values import Given, Tensors
from serve.backends.graphs import CAPTURING
from serve.backends.onnx_cuda import OnnxCudaModel, Target


class OnnxGraphModel:
    """Run an ONNX file on the first GPU, with a graph for each size of batch, or without where that does not work."""

    def __init__(self, spec: ModelSpec, path: Path, target: Target) -> None:
        """Load `path` and capture its graphs; raises BackendError where it cannot be run without them either."""
        self._thread = ThreadPoolExecutor(1, f"reelwarden-graphs-{spec.name}")  # it ends when the model is let go
        self._without = ""
        try:
            self._model = self._thread.submit(_captured, spec, path, target).result()
        except DeviceLostError:
            raise
        except (BackendError, MemoryError) as error:
            self._without = f"without CUDA graphs: {error}"
        if self._without:  # only now, when the error has let the first session and its memory go
            plain = replace(target, graphs=False)
            self._model = self._thread.submit(OnnxCudaModel, spec, path, plain).result()

    @property
    def notes(self) -> str:
        """Say what happened that a reader of the report should know; empty where nothing did."""
        return "; ".join(filter(None, (self._without, self._model.notes)))

    def run(self, tensors: Given) -> Tensors:
        """Return every output with as many rows as the one input; raises BackendError for an input off the contract."""
        return self._thread.submit(self._model.run, tensors).result()


def _captured(spec: ModelSpec, path: Path, target: Target) -> OnnxCudaModel:
    with CAPTURING:
        model = OnnxCudaModel(spec, path, replace(target, graphs=True))
        model.capture()
        return model
