"""Compile CUDA C to machine code without a GPU: the runtime compiler needs no driver."""

from __future__ import annotations

import ctypes
import importlib.util
from functools import cache
from pathlib import Path

import pytest


@cache
def _library() -> ctypes.CDLL | None:
    found = importlib.util.find_spec("nvidia.cuda_nvrtc")
    if found is None or not found.submodule_search_locations:
        return None
    paths = sorted(Path(found.submodule_search_locations[0], "lib").glob("libnvrtc.so.*"))
    return ctypes.CDLL(str(paths[0])) if paths else None


def machine_code(source: str, architecture: int) -> tuple[bytes, str]:
    """Return the cubin for one compute capability, and the compiler's log; raises ValueError with the log."""
    nvrtc = _library()
    if nvrtc is None:
        pytest.skip("nvidia-cuda-nvrtc-cu12 is not installed; the development dependencies have it for Linux")
    program = ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"paint.cu", 0, None, None) == 0
    options = [f"--gpu-architecture=sm_{architecture}".encode(), b"--std=c++14"]
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    log = _text(nvrtc, program, "Log").rstrip(b"\0").decode()
    if failed:
        raise ValueError(log)
    return _text(nvrtc, program, "CUBIN"), log


def _text(nvrtc: ctypes.CDLL, program: ctypes.c_void_p, kind: str) -> bytes:
    prefix = "nvrtcGetProgram" if kind == "Log" else "nvrtcGet"
    size = ctypes.c_size_t()
    getattr(nvrtc, f"{prefix}{kind}Size")(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    getattr(nvrtc, f"{prefix}{kind}")(program, buffer)
    return buffer.raw
