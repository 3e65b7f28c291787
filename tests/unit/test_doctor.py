"""The doctor names what is wrong and what mends it; machines are folders here, with the kernel's own file formats."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from pathlib import Path

import pytest

from model_zoo.domains import by_name
from model_zoo.errors import UsageError
from serve.devices import Gpu, Look
from serve.doctor import examine, in_one_line
from serve.doctor.accelerator import check_driver, check_gpu, check_nvdec, check_onnxruntime, check_tensorrt
from serve.doctor.check import Place
from serve.doctor.machine import check_memory, check_processor, check_temporary
from serve.doctor.weights import check_models
from serve.drivers import INFERENCE_AMI, LEAST_DRIVER, TRANSFORM_AMI
from serve.models import choose_models
from serve.settings import load_settings
from serve.web.service import Service

T4 = Look(Gpu("Tesla T4", 75, 15_843_721_216, 12_020), "found Tesla T4")
NOTHING = Look(None, "no NVIDIA driver was found")
KERNEL = "NVRM version: NVIDIA UNIX {}x86_64 Kernel Module  {}  Thu Sep  7 04:06:44 UTC 2026\nGCC version:  gcc 7.3.1\n"


def files(root: Path, contents: dict[str, str]) -> Place:
    for name, text in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Place(root=root)


def driver(root: Path, version: str, kind: str = "") -> Place:
    return files(root, {"proc/driver/nvidia/version": KERNEL.format(kind, version)})


def test_driver_470_is_told_to_pin_the_image_of_the_host(tmp_path: Path) -> None:
    check = check_driver(driver(tmp_path, "470.256.02"), wanted=False)
    assert check.status == "hinders"
    assert "470.256.02" in check.says
    assert f"InferenceAmiVersion={INFERENCE_AMI} (driver 580)" in check.fix
    assert f"TransformAmiVersion={TRANSFORM_AMI} (driver 535)" in check.fix
    assert check_driver(driver(tmp_path, "470.256.02"), wanted=True).status == "fails"


@pytest.mark.parametrize("kind", ["", "Open Kernel Module for "])
@pytest.mark.parametrize("version", [f"{LEAST_DRIVER}.60.13", "535.183.01", "550.127.05", "580.65.06"])
def test_newer_drivers_work(tmp_path: Path, version: str, kind: str) -> None:
    check = check_driver(driver(tmp_path, version, kind), wanted=True)
    assert (check.status, check.says, check.fix) == ("works", f"NVIDIA driver {version}", "")


def test_no_driver_is_no_failure_unless_a_gpu_is_required(tmp_path: Path) -> None:
    assert check_driver(Place(root=tmp_path), wanted=False).status == "absent"
    assert check_driver(Place(root=tmp_path), wanted=True).status == "fails"
    assert check_gpu(Place(root=tmp_path), NOTHING).status == "absent"


def test_tensorrt_is_found_in_an_image_that_has_its_bindings_and_libraries_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(root=tmp_path, loads=lambda library: f"{library}: cannot open shared object file")
    if importlib.util.find_spec("tensorrt") is None:
        assert check_tensorrt(place, T4).status == "absent"
    (tmp_path / "tensorrt_bindings").mkdir()
    (tmp_path / "tensorrt_bindings" / "__init__.py").touch()
    facts = tmp_path / "tensorrt_cu12_bindings-10.16.1.11.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: tensorrt_cu12_bindings\nVersion: 10.16.1.11\n")
    monkeypatch.syspath_prepend(tmp_path)
    check = check_tensorrt(place, T4)
    assert (check.status, check.says) == ("works", "TensorRT 10.16.1.11")


def test_a_gpu_that_the_container_is_not_shown_is_asked_for(tmp_path: Path) -> None:
    place = driver(tmp_path, "535.183.01")
    assert "--gpus all" in check_gpu(place, NOTHING).fix
    hidden = Place(root=tmp_path, environment={"NVIDIA_VISIBLE_DEVICES": "void"})
    assert "NVIDIA_VISIBLE_DEVICES=void hides every GPU" in check_gpu(hidden, NOTHING).fix


@pytest.mark.parametrize("missing", [["libnvcuvid.so.1"], ["libnvidia-encode.so.1"]])
def test_either_missing_library_of_the_driver_asks_for_the_capability_video(missing: list[str]) -> None:
    loads = dict.fromkeys(missing, "cannot open shared object file").get
    place = Place(environment={"NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}, loads=loads)
    check = check_nvdec(place, T4)
    assert check.status == "hinders"
    assert missing[0] in check.says
    assert "NVIDIA_DRIVER_CAPABILITIES is compute,utility" in check.says
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility,video" in check.fix


def test_onnxruntime_without_cuda_beside_a_gpu_is_the_wrong_image() -> None:
    assert check_onnxruntime(["CPUExecutionProvider"], T4).status == "hinders"
    assert check_onnxruntime(["CUDAExecutionProvider", "CPUExecutionProvider"], T4).status == "works"
    assert check_onnxruntime(["CPUExecutionProvider"], NOTHING).status == "works"


def test_the_limits_of_the_container_count_not_the_host(tmp_path: Path) -> None:
    place = files(
        tmp_path,
        {
            "proc/meminfo": "MemTotal:       64000000 kB\nMemFree: 1 kB\nMemAvailable:   60000000 kB\n",
            "sys/fs/cgroup/memory.max": "3000000000\n",
            "sys/fs/cgroup/memory.current": "1500000000\n",
            "sys/fs/cgroup/cpu.max": "50000 100000\n",
        },
    )
    memory = check_memory(place)
    assert memory.says == "1.5 GB free of 3.0 GB"
    assert memory.status == "hinders"
    processor = check_processor(place, threads=4)
    assert "0.5 cores for 4 threads" in processor.says
    assert processor.fix.startswith("set REELWARDEN_THREADS=1")


def test_without_a_limit_the_host_counts(tmp_path: Path) -> None:
    place = files(
        tmp_path,
        {
            "proc/meminfo": "MemTotal:       64000000 kB\nMemAvailable:   60000000 kB\n",
            "sys/fs/cgroup/memory.max": "max\n",
            "sys/fs/cgroup/cpu.max": "max 100000\n",
        },
    )
    assert check_memory(place).says == "61.4 GB free of 65.5 GB"
    assert check_processor(place, threads=1).status == "works"


def test_a_temporary_folder_too_small_for_an_upload_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert check_temporary(1).status in {"works", "hinders"}
    small = check_temporary(10**18)
    assert small.status == "hinders"
    assert str(tmp_path) in small.says
    assert "TMPDIR" in small.fix


def test_a_container_without_a_writable_folder_is_told_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc/none"])
    found = check_temporary(1)
    assert found.status == "fails"
    assert "docker run --tmpfs /tmp" in found.fix
    with pytest.raises(UsageError, match=r"no folder for temporary files .*or set TMPDIR to one"):
        Service(load_settings(domains="shots"), 60.0).load()


def test_missing_and_wrong_model_files_are_named(tmp_path: Path) -> None:
    nothing = load_settings(domains="moderation", cache=tmp_path, model_dir=tmp_path, offline=True)
    missing = check_models(nothing, hash_all=False)
    assert missing.status == "fails"
    assert "opennsfw" in missing.says
    assert "models pull" in missing.fix
    (spec,) = choose_models((by_name("labels"),), load_settings()).values()
    wrong = tmp_path / spec.name / spec.file_name
    wrong.parent.mkdir()
    wrong.write_bytes(b"other weights")
    labels = load_settings(domains="labels", model_dir=tmp_path)
    assert check_models(labels, hash_all=False).status == "works"
    found = check_models(labels, hash_all=True)
    assert found.status == "fails"
    assert str(wrong) in found.says
    assert check_models(load_settings(domains="labels"), hash_all=True).says.endswith("every sha256 right")


def test_a_wrong_setting_is_a_finding_not_a_crash() -> None:
    check = check_models(load_settings(domains="nosuch"), hash_all=False)
    assert check.status == "fails"
    assert "nosuch" in check.says


@pytest.mark.parametrize(
    ("module", "name", "domain"),
    [("onnxruntime", "ONNX Runtime", "labels"), ("ctranslate2", "CTranslate2", "transcription")],
)
def test_a_library_that_a_wanted_model_needs_and_that_does_not_load_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str, domain: str
) -> None:
    (tmp_path / f"{module}.py").write_text("raise OSError('libnothing.so.1: cannot open it')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, module, raising=False)
    found = {check.name: check for check in examine(load_settings(domains=domain), thorough=False)}
    assert (found[name].status, found[name].says) == ("fails", "libnothing.so.1: cannot open it")


def test_a_library_that_no_wanted_model_needs_is_not_loaded_for_a_log_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ctranslate2", raising=False)
    examine(load_settings(domains="labels"), thorough=False)
    assert "ctranslate2" not in sys.modules


def test_the_whole_look_works_on_any_machine_and_fits_one_log_line() -> None:
    checks = examine(load_settings(domains="labels"), thorough=False)
    line = in_one_line(checks)
    assert len(line) == len(checks)
    assert {"driver", "gpu", "video decoding", "ONNX Runtime", "memory", "models"} <= set(line)
    assert line["models"].startswith("works")
