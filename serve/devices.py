"""Which GPU this machine offers; asked in one place, so that every reason in a report agrees."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from serve.drivers import LEAST_CUDA, LEAST_DRIVER

_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*


@dataclass(frozen=True, slots=True)
class Gpu:
    """The first NVIDIA GPU that the driver shows this process."""

    name: str
    sm: int  # compute capability: 75 is 7.5
    memory_bytes: int
    cuda: int  # the newest CUDA that the driver knows: 12080 is 12.8


@dataclass(frozen=True, slots=True)
class Look:
    """What a look for a GPU found; without one, the reason."""

    gpu: Gpu | None
    reason: str


def has_nvidia_driver() -> bool:
    """Say whether the kernel driver of an NVIDIA GPU is loaded."""
    return _NVIDIA_DRIVER.exists()


@cache
def look_for_gpu(library: str = "libcuda.so.1") -> Look:
    """Ask the driver's own library, which every GPU stack needs; the answer is kept for the life of the process."""
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        if has_nvidia_driver():
            return Look(None, f"an NVIDIA driver is loaded, but {library} is not visible here: start with --gpus all")
        return Look(None, "no NVIDIA driver was found")
    try:
        return _ask(driver)
    except (AttributeError, ctypes.ArgumentError) as error:
        return Look(None, f"{library} is not an NVIDIA driver: {error}")


def _ask(driver: ctypes.CDLL) -> Look:
    count, cuda, device = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if failed or count.value < 1:
        return Look(None, f"the NVIDIA driver shows no GPU (error {failed})")
    name, memory = ctypes.create_string_buffer(256), ctypes.c_size_t()
    major, minor = ctypes.c_int(), ctypes.c_int()
    failed = (
        driver.cuDriverGetVersion(ctypes.byref(cuda))
        or driver.cuDeviceGet(ctypes.byref(device), 0)
        or driver.cuDeviceGetName(name, len(name), device)
        or driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
        or driver.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, device)
        or driver.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, device)
    )
    if failed:
        return Look(None, f"the NVIDIA driver does not answer (error {failed})")
    if cuda.value < LEAST_CUDA:
        known = f"{cuda.value // 1000}.{cuda.value % 1000 // 10}"
        return Look(None, f"the NVIDIA driver knows CUDA {known}; 12.0 is needed: use driver {LEAST_DRIVER} or newer")
    gpu = Gpu(name.value.decode(errors="replace"), 10 * major.value + minor.value, memory.value, cuda.value)
    return Look(gpu, f"found {gpu.name}")
