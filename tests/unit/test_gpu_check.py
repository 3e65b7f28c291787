"""gpu-check without a GPU: it refuses in one line, and each section runs on stand-ins."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks import gpu_check, gpu_here, gpu_sections, gpu_ways
from benchmarks.gpu_goals import goals, in_words
from benchmarks.gpu_inference import inference_rates, out_of_memory
from benchmarks.roofline import peak_of
from export.__main__ import find_spec
from model_zoo.catalog import catalog, named
from model_zoo.errors import BackendError
from model_zoo.values import View
from model_zoo.weights import ensure
from serve.backends.onnx_cuda import Target
from serve.decode.nvdec import Nvdec
from serve.decode.sessions import Sessions
from serve.devices import Gpu, look_for_gpu
from serve.settings import load_settings
from tests import stand_in_onnxruntime, stand_in_tensorrt
from tests.clips import write_clip
from tests.conftest import ROOT
from tests.stand_in_nvcodec import Library, Trouble
from tests.stand_in_tensorrt import HostMemory
from tests.twin import HostBlock, HostPainter, HostRows
from tests.unit.weights_fixtures import places_in

HOST = Target(provider="CPUExecutionProvider", memory="cpu")
STAND_IN = Nvdec(Gpu("a stand-in", 86, 16 << 30, 12_080), Sessions(Library(), HostPainter, 4))


def upload(content: np.ndarray) -> HostBlock:
    block = HostBlock(content.nbytes)
    block.array[:] = content.reshape(-1).view(np.uint8)
    return block


def lay(rows: np.ndarray) -> HostRows:
    return HostRows(upload(rows), rows.shape)


def test_without_a_gpu_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    if look_for_gpu().gpu is not None:
        pytest.skip("there is a GPU here")
    before = sorted(gpu_check.RESULTS.iterdir())
    assert gpu_check.main([]) == gpu_check.NO_GPU
    said = capsys.readouterr().err
    assert said == "gpu-check needs an NVIDIA GPU: no NVIDIA driver was found. Nothing was measured or written.\n"
    assert sorted(gpu_check.RESULTS.iterdir()) == before


def test_a_section_that_fails_is_a_finding() -> None:
    assert gpu_here.attempt(lambda: 1 / 0) == {"failed": "ZeroDivisionError: division by zero"}


def test_the_kernel_sections_compare_and_time(tmp_path: Path) -> None:
    parity = gpu_sections.kernel_parity(HostPainter(), upload, 320, 180)
    assert parity["passed"]
    painter = HostPainter()

    def seconds_of(work: Callable[[], None], times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            work()
        return time.perf_counter() - start

    speed = gpu_sections.kernel_speed(
        painter, upload, lambda jobs: lambda: painter.paint(jobs), seconds_of, 1e9, surfaces=1, rounds=1
    )
    assert speed["share_of_copy"] == pytest.approx(speed["bytes_per_second"] / 1e9, abs=0.001)


def test_the_decode_section_says_what_ran(tmp_path: Path) -> None:
    clips = gpu_sections.clips(tmp_path, (160, 96), 50, ("h264",))
    rows = gpu_sections.decode_rates(clips, STAND_IN, (1, 2), threads=1, least_frames=1)
    assert [(row["asked"], row["ran"], row["sessions"]) for row in rows[:3]] == [
        ("nvdec", "nvdec", 1),
        ("nvdec", "nvdec", 2),
        ("cpu", "cpu", 1),
    ]
    assert all(row["frames_decoded_per_second"] > 0 for row in rows)


def test_what_the_engines_do_not_take_is_decoded_once_and_few_frames_of_it(tmp_path: Path) -> None:
    clips = {"av1": write_clip(tmp_path / "clip.mp4", codec="libsvtav1", frames=24, options={"preset": "12"})}
    turing = replace(STAND_IN, gpu=replace(STAND_IN.gpu, name="Tesla T4", sm=75))
    rows = gpu_sections.decode_rates(clips, turing, (1, 2, 4, 7), threads=1, least_frames=100_000)
    assert [(row["asked"], row["ran"], row["sessions"]) for row in rows] == [("nvdec", "cpu", 1), ("cpu", "cpu", 1)] * 2


def test_the_fallback_section_finds_the_same_frames_on_both(tmp_path: Path) -> None:
    cases = gpu_sections.fallback_cases(tmp_path, STAND_IN)
    assert set(cases) == {"10-bit H.264", "odd sizes", "truncated", "size change"}
    assert all(case["same"] for case in cases.values()), cases
    assert cases["10-bit H.264"]["ran"] == "cpu"


def test_the_decode_section_compares_with_engines_whose_surfaces_nobody_reads(tmp_path: Path) -> None:
    clips = gpu_sections.clips(tmp_path, (160, 96), 50, ("h264",))
    library = Library()
    bare = Nvdec(STAND_IN.gpu, Sessions(library, HostPainter, 2))
    assert gpu_sections.engines_rate(clips["h264"], bare, 2, least_frames=250) > 0
    assert len(library.opened) == 2
    assert library.frames_out == 100 + 300, "both sessions are open before, then enough frames are decoded"
    rows = gpu_sections.decode_rates(clips, STAND_IN, (1,), threads=1, least_frames=1)
    compared = [row for row in rows if "share_of_engines" in row]
    assert [(row["asked"], row["interval_seconds"]) for row in compared] == [("nvdec", 0.0)]


def test_the_inference_section_runs_both_precisions_beside_what_is_possible(tmp_path: Path) -> None:
    spec = find_spec("moderation/nsfwjs_mobilenet_v2")
    rows = inference_rates([spec], HOST, tmp_path, (1, 2), lay, peak_of("Tesla T4"), seconds=0.01)
    assert [(row["precision"], row["batch"]) for row in rows] == [("fp32", 1), ("fp32", 2), ("fp16", 1), ("fp16", 2)]
    assert all(row["rows_per_second"] > 0 and row["bare_rows_per_second"] > 0 for row in rows)
    whole, half = rows[1], rows[3]
    assert whole["gigaflops_a_row"] == half["gigaflops_a_row"] == pytest.approx(0.6, abs=0.01)
    assert half["roofline_rows_per_second"] == pytest.approx(2 * whole["roofline_rows_per_second"], rel=0.1)
    unknown = inference_rates([spec], HOST, tmp_path, (1,), lay, None, seconds=0.01)
    assert "roofline_rows_per_second" not in unknown[0], "nothing is said of a card that is not known"
    few = spec.model_copy(update={"batch": spec.batch.model_copy(update={"most": 2})})
    assert out_of_memory(few, HOST) == {"rows": 2, "answered": 2, "passed": True, "said": ""}


def test_the_graphs_section_runs_models_with_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_onnxruntime.install(monkeypatch, set())
    spec = find_spec("moderation/nsfwjs_mobilenet_v2")
    rows = gpu_ways.graph_rates([spec], Target(), lay, (1, 2), seconds=0.01)
    assert [(row["graphs"], row["batch"]) for row in rows] == [(False, 1), (False, 2), (True, 1), (True, 2)]
    assert all(row["rows_per_second"] > 0 and row["notes"] == "" for row in rows)


def test_the_plans_section_builds_plans_and_runs_them_with_and_without_graphs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in_tensorrt.module())
    spec = find_spec("moderation/nsfwjs_mobilenet_v2")
    places = places_in(tmp_path)
    rows = gpu_ways.plan_rates([spec], STAND_IN.gpu, places, HostMemory, lay, (1, 2), seconds=0.01)
    assert [(row["graphs"], row["batch"]) for row in rows] == [(False, 1), (False, 2), (True, 1), (True, 2)]
    assert all(row["rows_per_second"] > 0 and row["notes"] == "" for row in rows)


@pytest.mark.weights
def test_the_speech_section_says_in_which_arithmetic_how_much_was_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_ways, "ROWS_OF_SPEECH", 1)
    (spec,) = named(["whisper_base"], catalog())
    weights = ensure(spec, load_settings().weight_places())
    found = gpu_ways.speech_rate(spec, weights, "cpu", "int8", repeats=1)
    assert found["compute_type"] == "int8"
    assert found["words"] >= 8
    assert found["sound_seconds_per_second"] > 0


def test_the_memory_section_holds_every_batch_of_videos_of_many_sizes(tmp_path: Path) -> None:
    painters: list[HostPainter] = []

    def new_painter() -> HostPainter:
        painters.append(HostPainter())
        return painters[-1]

    library = Library()
    nvdec = Nvdec(STAND_IN.gpu, Sessions(library, new_painter, 1))
    first, others = gpu_sections.clips_of_sizes(tmp_path, 12)
    assert len({path.read_bytes() for path in (*first, *others)}) == 12
    free = iter([100, 40, 39])
    work = [lambda half=half: gpu_sections.hold(half, nvdec, View(16, 16)) for half in (first, others)]
    assert gpu_sections.bytes_kept(work, lambda: next(free)) == [60, 1]
    assert (len(library.opened), library.frames_out) == (12, 12 * 48)
    assert len(painters) == nvdec.sessions.most_idle + 1
    broken = replace(nvdec, sessions=Sessions(Library(Trouble(after_frames=7)), HostPainter))
    with pytest.raises(BackendError, match=r"size_0.mp4: decoded on the CPU from .*ILLEGAL_ADDRESS"):
        gpu_sections.hold(first, broken, View(16, 16))


def test_what_is_uploaded_is_there_when_the_call_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def asarray(content: np.ndarray, *, blocking: bool) -> SimpleNamespace:
        asked.append(blocking)
        return SimpleNamespace(data=SimpleNamespace(ptr=4096), size=content.size)

    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(asarray=asarray))
    assert gpu_here.upload(np.zeros((2, 3), np.uint8)).address == 4096
    assert asked == [True]


ONE = """
import json, os, signal, subprocess, sys, time
name, file = sys.argv[1:]
if name == "hangs":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    open(os.environ["CHILD"], "w").write(str(child.pid))
    time.sleep(600)
if name == "crashes":
    os.kill(os.getpid(), signal.SIGSEGV)
found = {"fails": {"failed": "no"}, "kernel_parity": {"largest_difference": {"letterbox": 1}, "passed": True}}
json.dump(found.get(name, [{"model": "m", "rows": 1}]), open(file, "w"))
"""


def measured(path: Path, *names: str, about: str = "a GPU", seconds: float = 60.0) -> tuple[int, Any]:
    code = gpu_check.measure(names, [sys.executable, "-c", ONE], {"gpu": about}, path, seconds)
    return code, json.loads(path.read_text("utf-8"))


def test_a_section_that_crashes_or_fails_stops_no_other_and_is_told_by_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = measured(tmp_path / "found.json", "crashes", "fails", "kernel_parity", "inference")
    assert code == gpu_check.FAILED
    assert found["crashes"] == {"failed": "its process ended with -11 and said nothing of what it found"}
    assert found["inference"] == [{"model": "m", "rows": 1}]
    assert found["goals"][0]["met"]
    assert capsys.readouterr().err == "these sections failed: crashes, fails\n"
    assert measured(tmp_path / "other.json", "kernel_parity", "inference")[0] == 0


def test_a_section_that_hangs_is_killed_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHILD", str(tmp_path / "child"))
    monkeypatch.setattr(gpu_check, "MOST_SECTION_SECONDS", 3.0)
    code, found = measured(tmp_path / "found.json", "hangs", "kernel_parity")
    assert code == gpu_check.FAILED
    assert found["hangs"] == {"failed": "it was not done after 3 s"}
    assert found["kernel_parity"]["passed"]
    child = Path("/proc", (tmp_path / "child").read_text(), "stat")
    end = time.monotonic() + 10
    while child.exists() and child.read_text().split()[2] != "Z" and time.monotonic() < end:
        time.sleep(0.01)
    assert not child.exists() or child.read_text().split()[2] == "Z"


def test_when_time_is_up_what_was_found_is_written_and_the_rest_has_failed(tmp_path: Path) -> None:
    code, found = measured(tmp_path / "found.json", "kernel_parity", seconds=0.0)
    assert (code, found["kernel_parity"]) == (gpu_check.FAILED, {"failed": "no time was left for it"})


def test_sections_of_one_day_and_machine_are_put_together(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    measured(path, "kernel_parity")
    _, both = measured(path, "inference")
    assert both["kernel_parity"]["passed"]
    assert both["goals"][0]["met"]
    assert "inference" in both
    _, other = measured(path, "inference", about="another GPU")
    assert "kernel_parity" not in other


@pytest.mark.parametrize(
    ("found", "failed"),
    [
        ({"rows": 2, "answered": 2}, False),
        ([{"status": "works"}, {"status": "hinders"}], False),
        ({"skipped": "TensorRT is not installed: see docs/gpu.md"}, False),
        ({"failed": "ModuleNotFoundError: No module named 'cupy'"}, True),
        ([{"model": "a"}, {"model": "b", "failed": "no"}], True),
        ({"passed": False, "summary": []}, True),
        ({"truncated": {"same": True}, "odd sizes": {"same": False}}, True),
    ],
)
def test_what_a_section_found_is_known_to_be_a_failure(found: Any, failed: bool) -> None:
    assert gpu_check.failed(found) is failed


def test_an_unknown_section_is_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        gpu_check.main(["kernel_sped"])
    assert "no section is called kernel_sped; there are doctor, kernel_parity" in capsys.readouterr().err


def test_every_section_can_be_run_and_no_other(tmp_path: Path) -> None:
    for name in gpu_check.SECTIONS:
        assert callable(gpu_here.section(name, STAND_IN.gpu, tmp_path))
    with pytest.raises(KeyError):
        gpu_here.section("another", STAND_IN.gpu, tmp_path)


def test_the_contracts_section_runs_every_file_that_has_tests_for_a_gpu() -> None:
    marked = [path for path in sorted((ROOT / "tests").rglob("test_*.py")) if "pytest.mark.gpu" in path.read_text()]
    there = {str(path.relative_to(ROOT)) for path in marked} - {str(Path(__file__).relative_to(ROOT))}
    assert there == set(gpu_here.CONTRACTS)


def test_the_environment_of_gpu_check_has_cuda_and_one_onnx_runtime(tmp_path: Path) -> None:
    def lines(*command: str) -> list[str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return (done.stdout + done.stderr).splitlines()

    (sync,) = [line for line in lines("make", "--dry-run", "--always-make", "gpu-check") if " sync " in line]
    assert ".venv-gpu" in sync
    planned = sync.replace(".venv-gpu", str(tmp_path / "none")).replace("--quiet", "--dry-run")
    names = {found[1] for line in lines("sh", "-c", planned) if (found := re.match(r" \+ ([a-z0-9-]+)==", line))}
    assert names >= {"onnxruntime-gpu", "cupy-cuda12x", "pynvvideocodec", "nvidia-cudnn-cu12", "pytest", "hypothesis"}
    assert "onnxruntime" not in names


def results(share: float, kept: int = 0) -> dict[str, object]:
    decoded = [
        {"codec": "h264", "fallback": None, "engines_frames_per_second": 750.0, "share_of_engines": 0.1},
        {"codec": "h264", "fallback": None, "engines_frames_per_second": 1500.0, "share_of_engines": share},
        {"codec": "av1", "fallback": None, "ran": "cpu"},
    ]
    return {
        "kernel_parity": {"largest_difference": {"letterbox": 1, "cover": 2}},
        "decode": decoded,
        "kernel_speed": {"share_of_copy": share},
        "inference": [{"batch": 1, "share_of_bare": 0.1}, {"batch": 64, "share_of_bare": share}],
        "pipeline": {"share_of_slowest_stage": share},
        "memory": {"bytes_kept_by_a_second_run": kept, "bytes_kept_by_other_sizes": kept},
    }


def test_goals_are_said_to_be_met_or_missed() -> None:
    assert all(goal["met"] for goal in goals(results(0.95)))
    assert not any(goal["met"] for goal in goals(results(0.5, kept=1 << 30))[1:])
    assert [in_words(goal) for goal in goals(results(0.85))][1:4] == [
        "met    decoding, share of bare engines: 0.85, at least 0.8",
        "met    painting, share of the card's copy: 0.85, at least 0.6",
        "MISSED inference, share of the bare session: 0.85, at least 0.9",
    ]


def test_what_was_not_measured_meets_no_goal() -> None:
    failed = {name: {"failed": "BackendError: no engine"} for name in results(1.0)}
    for found in ({}, failed):
        assert [goal["found"] for goal in goals(found)] == [None] * 7
        assert in_words(goals(found)[0]) == "MISSED kernel parity with its twin, of 255: not measured, at most 2"
