"""Errors that only a restart mends are told from those that concern one batch, in the words of every library."""

from __future__ import annotations

import json

import pytest

from model_zoo.errors import BackendError, DeviceLostError
from serve.backends.device_lost import STICKY, check_device, watched_device
from serve.web.refusals import answer

ILLEGAL = "an illegal memory access was encountered"


@pytest.mark.parametrize("number", STICKY)
def test_every_error_that_cuda_keeps_is_known_as_every_library_writes_it(number: int) -> None:
    of_runtime, of_driver, words = STICKY[number]
    for text in (
        f"CUDA failure {number}: {words} ; GPU=0 ; hostname=x ; file=cuda_call.cc ; line=121",
        f"CUDA error {number}",
        f"CUDA failed with error {words}",
        f"[runner.cpp::execute::461] Error Code 1: Cuda Runtime ({words})",
        f"cudaError{of_runtime}: {words}",
        f"CUDA_ERROR_{of_driver}: {words}",
    ):
        with pytest.raises(DeviceLostError):
            check_device("mean", RuntimeError(text))


@pytest.mark.parametrize(
    "text",
    [
        "CUDA failure 2: out of memory ; GPU=0",
        "CUDA failed with error out of memory",
        "cudaErrorMemoryAllocation: out of memory",
        "CUDA failure 7000: of no number",
        "unknown error",
        "misaligned address of the letter",
        "cuBLAS is not here",
        "700 rows are too many",
    ],
)
def test_what_passes_is_no_lost_device(text: str) -> None:
    check_device("mean", RuntimeError(text))


def test_what_hides_behind_another_error_is_found_and_named_once() -> None:
    hidden = RuntimeError("CUDA failure 719: unspecified launch failure\nand a stack")
    expected = "^mean: the GPU failed for good: CUDA failure 719: unspecified launch failure; restart the process$"
    with pytest.raises(DeviceLostError, match=expected) as lost, watched_device("mean"):
        raise BackendError("inference failed") from hidden
    with pytest.raises(DeviceLostError) as again, watched_device("other"):
        raise lost.value
    assert again.value is lost.value
    with pytest.raises(BackendError, match=r"^no profile"), watched_device("mean"):
        raise BackendError("no profile")


def test_a_lost_device_is_told_with_a_time_to_come_again() -> None:
    told = answer(DeviceLostError("mean: the GPU failed for good"))
    assert told.status_code == 503
    assert int(told.headers["retry-after"]) > 0
    assert json.loads(bytes(told.body))["error"]["type"] == "DeviceLostError"
    page = answer(DeviceLostError("mean: the GPU failed for good"), for_people=True)
    assert page.headers["retry-after"] == told.headers["retry-after"]
