"""Which accelerator this machine offers; asked in one place, so that every reason in a report agrees."""

from __future__ import annotations

from pathlib import Path

_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


def has_nvidia_driver() -> bool:
    """Say whether the kernel driver of an NVIDIA GPU is loaded."""
    return _NVIDIA_DRIVER.exists()
