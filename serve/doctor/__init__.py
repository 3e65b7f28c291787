"""What works on this machine, what does not, why, and what mends it; every probe is a small function of its own."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from serve.devices import look_for_gpu
from serve.doctor.accelerator import (
    check_ctranslate2,
    check_driver,
    check_gpu,
    check_nvdec,
    check_onnxruntime,
    check_tensorrt,
)
from serve.doctor.check import Check, Place
from serve.doctor.machine import check_memory, check_processor, check_shared_memory, check_temporary
from serve.doctor.weights import check_models
from serve.settings import Settings

__all__ = ["Check", "examine", "in_one_line"]


def examine(settings: Settings, *, thorough: bool = True) -> list[Check]:
    """Look at everything; `thorough` also reads every model file and loads libraries that are not loaded yet."""
    place = Place(environment=os.environ)
    look = look_for_gpu()
    return [
        check_driver(place, wanted=settings.device not in {"auto", "cpu"}),
        check_gpu(place, look),
        check_nvdec(place, look),
        check_onnxruntime(_providers(), look),
        check_tensorrt(place, look),
        check_ctranslate2(_cuda_devices(thorough=thorough), look),
        check_processor(place, settings.threads),
        check_memory(place),
        check_shared_memory(place),
        check_temporary(Path(tempfile.gettempdir()), settings.max_body_bytes),
        check_models(settings, hash_all=thorough),
    ]


def in_one_line(checks: Sequence[Check]) -> dict[str, str]:
    """Return what one log line of a container's start tells: each thing with its status and its fix."""
    return {check.name: f"{check.status}: {check.says}" + (f" ({check.fix})" if check.fix else "") for check in checks}


def _providers() -> list[str]:
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def _cuda_devices(*, thorough: bool) -> int | None:
    """Return how many GPUs CTranslate2 sees; None where it is not here, or not to be loaded for this."""
    if not thorough and "ctranslate2" not in sys.modules:
        return None
    try:
        ctranslate2 = importlib.import_module("ctranslate2")
    except ImportError:
        return None
    return int(ctranslate2.get_cuda_device_count())
