"""A stand-in for ONNX Runtime's GPU build: its providers are there, and the CPU does their work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime
import pytest

TENSORRT, CUDA, CPU = "TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"
Told = list[tuple[str, dict[str, str]]]  # each provider with its options, in order


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

    def bind_output(self, name: str, _device: str, number: int) -> None:
        """Let the CPU choose the memory."""
        self.binding.bind_output(name, "cpu", number)


def install(monkeypatch: pytest.MonkeyPatch, broken: set[str]) -> Told:
    """Put the stand-in in place; a provider in `broken` gives up silently, as theirs do. Returns what they are told."""
    told: Told = []
    real = onnxruntime.InferenceSession

    class Session:
        """A session that says that it runs where it was asked to."""

        def __init__(self, content: bytes, options: Any = None, providers: Any = ()) -> None:
            self._session = real(content, options, providers=[CPU])
            asked = [(one, {}) if isinstance(one, str) else one for one in providers]
            self._names = [name for name, _ in asked if name not in broken]
            if self._names[0] != CPU:
                told.extend(asked)
            for name, given in asked:
                if name == TENSORRT and name not in broken:
                    Path(given["trt_engine_cache_path"], "built.engine").touch()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._session, name)

        def get_providers(self) -> list[str]:
            """Return those that did not give up."""
            return self._names

        def io_binding(self) -> Binding:
            """Return a binding of the host's memory."""
            return Binding(self._session.io_binding())

        def run_with_iobinding(self, binding: Binding, options: Any) -> None:
            """Run."""
            self._session.run_with_iobinding(binding.binding, options)

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda directory: None)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(onnxruntime, "OrtValue", Values)
    return told
