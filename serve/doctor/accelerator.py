"""The NVIDIA GPU, from the driver up to the libraries: what works, what does not, and what to do about it."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import re

from serve.devices import Look
from serve.doctor.check import Check, Place, Status, gigabytes
from serve.drivers import INFERENCE_AMI, INFERENCE_DRIVER, LEAST_DRIVER, TRANSFORM_AMI, TRANSFORM_DRIVER

PIN = (
    f"SageMaker's default for g4dn and g5: pin InferenceAmiVersion={INFERENCE_AMI} (driver {INFERENCE_DRIVER}) for "
    f"endpoints, TransformAmiVersion={TRANSFORM_AMI} (driver {TRANSFORM_DRIVER}) for Batch Transform; elsewhere "
    f"install driver {LEAST_DRIVER} or newer"
)
CAPABILITIES = "start the container with NVIDIA_DRIVER_CAPABILITIES=compute,utility,video"
_TENSORRT = ("tensorrt", "tensorrt-cu12", "tensorrt-cu12-bindings")  # any of these packages brings it
NO_GPU = "models run on the CPU"
NO_DRIVER = "use an instance with an NVIDIA GPU, or set REELWARDEN_DEVICE=auto to take the CPU"


def loading_problem(library: str) -> str | None:
    """Say why a shared library cannot be loaded, None where it can."""
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return str(error)
    return None


def check_driver(place: Place, *, wanted: bool) -> Check:
    """Say which kernel driver is loaded, and whether CUDA 12 runs on it; `wanted` says that a GPU is required."""
    found = place.root / "proc/driver/nvidia/version"
    version = re.search(r"Kernel Module\D*?(\d+)\.(\d[\d.]*)", found.read_text("utf-8")) if found.exists() else None
    if version is None:
        status: Status = "fails" if wanted else "absent"
        return Check("driver", status, f"no NVIDIA driver is loaded; {NO_GPU}", NO_DRIVER if wanted else "")
    says = f"NVIDIA driver {version[1]}.{version[2]}"
    if int(version[1]) < LEAST_DRIVER:
        return Check("driver", "fails" if wanted else "hinders", f"{says} knows no CUDA 12; {NO_GPU}", f"this is {PIN}")
    return Check("driver", "works", says)


def check_gpu(place: Place, look: Look) -> Check:
    """Say which GPU this process is shown."""
    if look.gpu is not None:
        gpu = look.gpu
        known = f"CUDA {gpu.cuda // 1000}.{gpu.cuda % 1000 // 10}"
        return Check("gpu", "works", f"{gpu.name}, {gigabytes(gpu.memory_bytes)}, sm{gpu.sm}, {known}")
    if not (place.root / "proc/driver/nvidia/version").exists():
        return Check("gpu", "absent", f"{look.reason}; {NO_GPU}")
    hidden = place.environment.get("NVIDIA_VISIBLE_DEVICES", "")
    if hidden in {"void", "none"}:
        fix = f"NVIDIA_VISIBLE_DEVICES={hidden} hides every GPU: set it to all, or to the one to use"
    else:
        fix = (
            "start with --gpus all (Docker), device reservations (compose) or the resource nvidia.com/gpu (Kubernetes)"
        )
    return Check("gpu", "hinders", f"{look.reason}; {NO_GPU}", fix)


def check_nvdec(place: Place, look: Look) -> Check:
    """Say whether video can be decoded by the GPU's engine: both libraries of the driver and the package."""
    name = "video decoding"
    if look.gpu is None:
        return Check(name, "absent", "no GPU; video is decoded by the CPU")
    loads = place.loads or loading_problem
    missing = [library for library in ("libnvcuvid.so.1", "libnvidia-encode.so.1") if loads(library)]
    if missing:
        given = place.environment.get("NVIDIA_DRIVER_CAPABILITIES")
        words = f"NVIDIA_DRIVER_CAPABILITIES is {given}" if given else "NVIDIA_DRIVER_CAPABILITIES is not set"
        says = f"{' and '.join(missing)} not to be loaded ({words}); video is decoded by the CPU"
        return Check(name, "hinders", says, f"{CAPABILITIES}: `video` brings both")
    if importlib.util.find_spec("PyNvVideoCodec") is None:
        return Check(name, "hinders", "the package PyNvVideoCodec is not here", "use the GPU image: FLAVOR=gpu")
    return Check(name, "works", f"PyNvVideoCodec {_version('pynvvideocodec')}, libnvcuvid, libnvidia-encode")


def check_tensorrt(place: Place, look: Look) -> Check:
    """Say whether TensorRT is here; it is an option of the image."""
    if look.gpu is None:
        return Check("TensorRT", "absent", "no GPU")
    problem = (place.loads or loading_problem)("libnvinfer.so.10")
    here = any(importlib.util.find_spec(module) for module in ("tensorrt", "tensorrt_bindings"))
    if problem and not here:
        return Check("TensorRT", "absent", "not in this image; ONNX Runtime with CUDA is used")
    known = (version for package in _TENSORRT if (version := _version(package)) != "?")
    return Check("TensorRT", "works", f"TensorRT {next(known, '?')}")


def check_onnxruntime(providers: list[str], look: Look) -> Check:
    """Say which execution providers ONNX Runtime has, and whether one of them is for the GPU that is here."""
    names = [name.removesuffix("ExecutionProvider") for name in providers]
    package = "onnxruntime-gpu" if _version("onnxruntime-gpu") != "?" else "onnxruntime"
    says = f"{package} {_version(package)}: {', '.join(names)}"
    if look.gpu is not None and "CUDA" not in names:
        fix = "use the GPU image (FLAVOR=gpu); onnxruntime beside onnxruntime-gpu takes its place: uninstall the former"
        return Check("ONNX Runtime", "hinders", says, fix)
    return Check("ONNX Runtime", "works", says)


def check_ctranslate2(devices: int | None, look: Look) -> Check:
    """Say whether speech can be transcribed on the GPU; None says that nobody asked the library."""
    if devices is None:
        return Check("CTranslate2", "absent", "not loaded: it is for speech")
    says = f"CTranslate2 {_version('ctranslate2')}: {devices} CUDA devices"
    if look.gpu is not None and devices == 0:
        return Check("CTranslate2", "hinders", says, "it needs libcublas.so.12: use the GPU image for speech")
    return Check("CTranslate2", "works", says)


def unusable(name: str, error: Exception) -> Check:
    """Say that a library is here and cannot be used, and why."""
    return Check(name, "fails", f"{error}".split("\n", 1)[0], "install the locked packages anew, or use an image")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "?"
