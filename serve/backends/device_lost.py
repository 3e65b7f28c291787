"""Tell errors after which nothing that runs on the GPU in this process would be right.

CUDA keeps these: every later call fails with them, until the process is started anew. They are told by their number, by
CUDA's name or by CUDA's words, as the library at hand writes them: `CUDA failure 700: an illegal memory access was ...`
(ONNX Runtime), `CUDA failed with error an illegal ...` (CTranslate2), `Cuda Runtime (an illegal ...)` (TensorRT),
`cudaErrorIllegalAddress: ...` or `CUDA_ERROR_ILLEGAL_ADDRESS: ...` (CuPy).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from model_zoo.errors import DeviceLostError

# number -> the names of CUDA's runtime and driver, without cudaError or CUDA_ERROR_, and the words of both
STICKY: dict[int, tuple[str, str, str]] = {
    214: ("ECCUncorrectable", "ECC_UNCORRECTABLE", "uncorrectable ECC error"),
    220: ("NvlinkUncorrectable", "NVLINK_UNCORRECTABLE", "uncorrectable NVLink error"),
    226: ("Contained", "CONTAINED", "invalid access of peer GPU memory over nvlink or a hardware error"),
    700: ("IllegalAddress", "ILLEGAL_ADDRESS", "an illegal memory access was encountered"),
    702: ("LaunchTimeout", "LAUNCH_TIMEOUT", "the launch timed out and was terminated"),
    710: ("Assert", "ASSERT", "device-side assert triggered"),
    714: ("HardwareStackError", "HARDWARE_STACK_ERROR", "hardware stack error"),
    715: ("IllegalInstruction", "ILLEGAL_INSTRUCTION", "an illegal instruction was encountered"),
    716: ("MisalignedAddress", "MISALIGNED_ADDRESS", "misaligned address"),
    717: ("InvalidAddressSpace", "INVALID_ADDRESS_SPACE", "operation not supported on global/shared address space"),
    718: ("InvalidPc", "INVALID_PC", "invalid program counter"),
    719: ("LaunchFailure", "LAUNCH_FAILED", "unspecified launch failure"),
    721: ("TensorMemoryLeak", "TENSOR_MEMORY_LEAK", "tensor memory not completely freed"),
    999: ("Unknown", "UNKNOWN", "unknown error"),
}
_NUMBERS = re.compile(rf"\bcuda (?:failure|error):? *(?:{'|'.join(map(str, STICKY))})\b", re.IGNORECASE)
_NAMES = re.compile(
    rf"\bcudaError(?:{'|'.join(names[0] for names in STICKY.values())})\b"
    rf"|\bCUDA_ERROR_(?:{'|'.join(names[1] for names in STICKY.values())})\b",
    re.IGNORECASE,
)
# the words are plain English, so they count behind CUDA's name alone
_WORDS = re.compile(
    rf"\bcuda\b.{{0,60}}?\b(?:{'|'.join(re.escape(names[2]) for names in STICKY.values())})", re.IGNORECASE | re.DOTALL
)


def check_device(name: str, error: BaseException) -> None:
    """Raise DeviceLostError, for the model of this name, where an error means that the GPU is lost."""
    sticky = _sticky(error)
    if sticky is not None and not isinstance(error, DeviceLostError):
        first_line = str(sticky).strip().split("\n", 1)[0]
        raise DeviceLostError(f"{name}: the GPU failed for good: {first_line}; restart the process") from error


def _sticky(error: BaseException | None) -> BaseException | None:
    """Return the error that CUDA keeps: this one, or one that it was raised from."""
    while error is not None and not any(pattern.search(str(error)) for pattern in (_NUMBERS, _NAMES, _WORDS)):
        error = error.__cause__
    return error


@contextmanager
def watched_device(name: str) -> Iterator[None]:
    """Turn what a model of this name raises into DeviceLostError, where it means that the GPU is lost."""
    try:
        yield
    except Exception as error:
        check_device(name, error)
        raise
