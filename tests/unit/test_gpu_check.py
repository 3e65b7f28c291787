"""gpu-check without a GPU: it refuses in one line, and each section runs on stand-ins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import gpu_check, gpu_sections
from export.__main__ import find_spec
from serve.backends.onnx_cuda import Target
from serve.decode.nvdec import Nvdec
from serve.decode.sessions import Sessions
from serve.devices import Gpu, look_for_gpu
from tests.stand_in_nvcodec import Library
from tests.twin import HostBlock, HostPainter

HOST = Target(provider="CPUExecutionProvider", memory="cpu")
STAND_IN = Nvdec(Gpu("a stand-in", 86, 16 << 30, 12_080), Sessions(Library(), HostPainter))


def upload(content: np.ndarray) -> HostBlock:
    block = HostBlock(content.nbytes)
    block.array[:] = content.reshape(-1).view(np.uint8)
    return block


def test_without_a_gpu_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    if look_for_gpu().gpu is not None:
        pytest.skip("there is a GPU here")
    before = sorted(gpu_check.RESULTS.iterdir())
    assert gpu_check.main([]) == gpu_check.NO_GPU
    said = capsys.readouterr().err
    assert said == "gpu-check needs an NVIDIA GPU: no NVIDIA driver was found. Nothing was measured or written.\n"
    assert sorted(gpu_check.RESULTS.iterdir()) == before


def test_a_section_that_fails_is_a_finding() -> None:
    assert gpu_check.attempt(lambda: 1 / 0) == {"failed": "ZeroDivisionError: division by zero"}


def test_the_kernel_sections_compare_and_time(tmp_path: Path) -> None:
    parity = gpu_sections.kernel_parity(HostPainter(), upload, 320, 180)
    assert parity["passed"]
    speed = gpu_sections.kernel_speed(HostPainter(), upload, 1e9, surfaces=1, rounds=1)
    assert speed["share_of_copy"] == pytest.approx(speed["bytes_per_second"] / 1e9, abs=0.001)


def test_the_decode_section_says_what_ran(tmp_path: Path) -> None:
    clips = gpu_sections.clips(tmp_path, (160, 96), 50, ("h264",))
    rows = gpu_sections.decode_rates(clips, STAND_IN, (1, 2), threads=1)
    assert [(row["asked"], row["ran"], row["sessions"]) for row in rows[:3]] == [
        ("nvdec", "nvdec", 1),
        ("nvdec", "nvdec", 2),
        ("cpu", "cpu", 1),
    ]
    assert all(row["frames_decoded_per_second"] > 0 for row in rows)


def test_the_fallback_section_finds_the_same_frames_on_both(tmp_path: Path) -> None:
    cases = gpu_sections.fallback_cases(tmp_path, STAND_IN)
    assert set(cases) == {"10-bit H.264", "odd sizes", "truncated", "size change"}
    assert all(case["same"] for case in cases.values()), cases
    assert cases["10-bit H.264"]["ran"] == "cpu"


def test_the_inference_section_runs_both_precisions(tmp_path: Path) -> None:
    spec = find_spec("moderation/nsfwjs_mobilenet_v2")
    rows = gpu_sections.inference_rates([spec], HOST, tmp_path, (1, 2), seconds=0.01)
    assert [(row["precision"], row["batch"]) for row in rows] == [("fp32", 1), ("fp32", 2), ("fp16", 1), ("fp16", 2)]
    assert gpu_sections.out_of_memory(
        spec.model_copy(update={"batch": spec.batch.model_copy(update={"most": 2})}), HOST
    ) == {
        "rows": 2,
        "answered": 2,
        "said": "",
    }
