"""A stand-in for ONNX Runtime's GPU build: its providers are there, and the CPU does their work.

CUDA graphs are as there: a graph belongs to the thread that captured it, and starting it runs on the memory that it was
captured with, whatever is bound now. Two captures at once spoil each other, as theirs concern the whole process.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

TENSORRT, CUDA, CPU = "TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"
Told = list[tuple[str, dict[str, str]]]  # each provider with its options, in order


@dataclass
class Graphs:
    """What was captured and started, since the stand-in was put in place."""

    captured: list[tuple[str, str]] = field(default_factory=list)  # thread, size
    started: list[tuple[str, str]] = field(default_factory=list)
    capturing: int = 0


GRAPHS = Graphs()


class Values:
    """onnxruntime.OrtValue, in the host's memory whatever is asked for."""

    make = staticmethod(onnxruntime.OrtValue.ortvalue_from_shape_and_type)

    @classmethod
    def ortvalue_from_shape_and_type(cls, shape: Any, kind: Any, _device: str, number: int) -> Any:
        """Return a value in the host's memory."""
        return cls.make(shape, kind, "cpu", number)


class Binding:
    """An IOBinding, the same."""

    def __init__(self, binding: Any) -> None:
        self.binding = binding

    def __getattr__(self, name: str) -> Any:
        return getattr(self.binding, name)

    def bind_input(self, name: str, _device: str, number: int, kind: Any, shape: Any, address: int) -> None:
        """Bind memory of the host."""
        self.binding.bind_input(name, "cpu", number, kind, shape, address)

    def bind_output(self, name: str, _device: str, number: int) -> None:
        """Let the CPU choose the memory."""
        self.binding.bind_output(name, "cpu", number)


class Session:
    """A session that says that it runs where it was asked to."""

    real: Any
    broken: set[str]
    told: Told

    def __init__(self, content: bytes, options: Any = None, providers: Any = (), enable_fallback: int = 1) -> None:
        if "raises" in self.broken and providers and providers[0][0] == TENSORRT:
            if not enable_fallback:
                raise RuntimeError("EP_FAIL : Following input(s) has no associated shape profiles provided: inner")
            sys.stdout.write("*************** EP Error ***************\n")
            providers = [CPU]
        self._session = self.real(content, options, providers=[CPU])
        asked = [(one, {}) if isinstance(one, str) else one for one in providers]
        self._names = [name for name, _ in asked if name not in self.broken]
        self._graphs = any(given.get("enable_cuda_graph") == "1" for _, given in asked)
        self._kept: dict[tuple[str, str], Binding] = {}
        if self._graphs and "graphs" in self.broken:
            raise RuntimeError("This session cannot use the graph capture feature as requested\nmore")
        if self._names[0] != CPU:
            self.told.extend(asked)
        for name, given in asked:
            if name == TENSORRT:
                self._check(given)
            if name == TENSORRT and not self.broken & {TENSORRT, "no node"}:
                Path(given["trt_engine_cache_path"], "built.engine").touch()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    @staticmethod
    def _check(given: dict[str, str]) -> None:
        """Take yes and no as ONNX Runtime's TensorRT provider takes them, and refuse all else in its words."""
        for key, value in given.items():
            if key.endswith("_enable") and value not in ("True", "true", "False", "false"):
                raise RuntimeError(
                    f"The value for the key '{key}' should be 'True' or 'False'. Default value is 'False'"
                )

    def get_providers(self) -> list[str]:
        """Return those that did not give up."""
        return self._names

    def io_binding(self) -> Binding:
        """Return a binding of the host's memory."""
        return Binding(self._session.io_binding())

    def run_with_iobinding(self, binding: Binding, options: Any) -> None:
        """Run, or capture a graph and start it, or start the one that was captured."""
        number = options.get_run_config_entry("gpu_graph_id") if self._graphs else "-1"
        name = (threading.current_thread().name, number)
        if number != "-1" and name not in self._kept:
            self._capture(name, binding)
        if name in self._kept:
            GRAPHS.started.append(name)
            binding = self._kept[name]
        self._session.run_with_iobinding(binding.binding, options)

    def _capture(self, name: tuple[str, str], binding: Binding) -> None:
        GRAPHS.capturing += 1
        time.sleep(0.002)
        alone, GRAPHS.capturing = GRAPHS.capturing == 1, GRAPHS.capturing - 1
        if not alone or "capture" in self.broken:
            raise RuntimeError("CUDA failure 901: operation failed due to a previous error during capture")
        GRAPHS.captured.append(name)
        self._kept[name] = binding


def install(monkeypatch: pytest.MonkeyPatch, broken: set[str]) -> Told:
    """Put the stand-in in place; a provider in `broken` gives up silently, as theirs do. Returns what they are told.

    "graphs" in `broken` is a session that is not opened with graphs, "capture" one that fails when it captures; with
    "no node" TensorRT's provider starts, and takes no node of the network; with "raises" it says why it does not start.
    """
    told: Told = []
    GRAPHS.captured, GRAPHS.started = [], []
    session = type("Session", (Session,), {"real": onnxruntime.InferenceSession, "broken": broken, "told": told})
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda directory: None)
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(onnxruntime, "OrtValue", Values)
    return told
