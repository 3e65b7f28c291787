"""What works on this machine, what does not, why, and what mends it; every probe is a small function of its own."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Sequence

from serve.devices import Look, look_for_gpu
from serve.doctor.accelerator import (
    check_ctranslate2,
    check_driver,
    check_gpu,
    check_nvdec,
    check_onnxruntime,
    check_tensorrt,
    unusable,
)
from serve.doctor.check import Check, Place
from serve.doctor.machine import check_memory, check_processor, check_shared_memory, check_temporary
from serve.doctor.weights import check_models, formats
from serve.settings import Settings
from serve.strangers import in_words, unknown_variables

__all__ = ["Check", "examine", "in_one_line", "tell"]

log = logging.getLogger(__name__)


def examine(settings: Settings, *, thorough: bool = True) -> list[Check]:
    """Look at everything; `thorough` also reads every model file and loads libraries that no wanted model needs."""
    place = Place(environment=os.environ)
    look = look_for_gpu()
    return [
        check_driver(place, wanted=settings.device not in {"auto", "cpu"}),
        check_gpu(place, look),
        check_nvdec(place, look),
        _onnxruntime(look),
        check_tensorrt(place, look),
        _ctranslate2(look, load=thorough or "ctranslate2" in formats(settings)),
        check_processor(place, settings.threads),
        check_memory(place),
        check_shared_memory(place),
        check_temporary(settings.max_body_bytes),
        _check_variables(place),
        check_models(settings, hash_all=thorough),
    ]


def in_one_line(checks: Sequence[Check]) -> dict[str, str]:
    """Return what one log line of a container's start tells: each thing with its status and its fix."""
    return {check.name: f"{check.status}: {check.says}" + (f" ({check.fix})" if check.fix else "") for check in checks}


def tell(settings: Settings) -> None:
    """Write one log line, before models are loaded: where that fails, the line is what explains it."""
    log.info("doctor", extra={"fields": in_one_line(examine(settings, thorough=False))})


def _check_variables(place: Place) -> Check:
    """Say which variables look like settings and are none."""
    unknown = unknown_variables(place.environment)
    if unknown:
        fix = "correct the names, or leave them out; docs/settings.md lists those there are"
        return Check("settings", "hinders", f"ignored: {', '.join(in_words(unknown))}", fix)
    return Check("settings", "works", "every REELWARDEN_* variable is known")


def _onnxruntime(look: Look) -> Check:
    try:
        import onnxruntime
    except (ImportError, OSError) as error:
        return unusable("ONNX Runtime", error)
    return check_onnxruntime(list(onnxruntime.get_available_providers()), look)


def _ctranslate2(look: Look, *, load: bool) -> Check:
    if not load and "ctranslate2" not in sys.modules:
        return check_ctranslate2(None, look)
    try:
        devices = int(importlib.import_module("ctranslate2").get_cuda_device_count())
    except ModuleNotFoundError:
        return check_ctranslate2(None, look)
    except (ImportError, OSError, RuntimeError) as error:  # RuntimeError: what CUDA has to say of the driver
        return unusable("CTranslate2", error)
    return check_ctranslate2(devices, look)
