"""Which accelerator this machine offers; asked in one place, so that every reason in a report agrees."""

from __future__ import annotations

from pathlib import Path

from model_zoo.errors import BackendError

_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
_NVIDIA_GPUS = Path("/proc/driver/nvidia/gpus")


def has_nvidia_driver() -> bool:
    """Say whether the kernel driver of an NVIDIA GPU is loaded."""
    return _NVIDIA_DRIVER.exists()


def gpu_name(folder: Path = _NVIDIA_GPUS) -> str:
    """Return what the driver calls the first NVIDIA GPU, such as Tesla T4; raises BackendError where it names none."""
    for facts in sorted(folder.glob("*/information")):
        for line in facts.read_text("utf-8", "replace").splitlines():
            if line.startswith("Model:"):
                return line.partition(":")[2].strip()
    raise BackendError(f"{folder}: the driver names no GPU; set REELWARDEN_DEVICE=cpu")
