"""Where speech recognition runs, in which arithmetic, and why."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
import pytest

from model_zoo.catalog import catalog, named
from model_zoo.errors import BackendError, DeviceLostError, UsageError
from model_zoo.manifest import ModelSpec
from model_zoo.weights import WeightPlaces, ensure
from serve.backends import choose, cublas
from serve.backends.ctranslate2 import Ctranslate2Model, Language, Said, compute_type
from serve.backends.place import Placed, Wishes
from serve.devices import Gpu, Look
from serve.models import Ready, check_language
from tests.twin import COMPILER

T4 = Gpu("Tesla T4", 75, 15 << 30, 12_040)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as workers:
        yield workers


@pytest.mark.parametrize(
    ("sm", "arithmetic"),
    [
        (None, "int8"),  # a CPU
        (61, "int8_float32"),  # P4, P40
        (60, "float32"),  # P100
        (70, "float16"),  # V100
        (75, "int8_float16"),  # T4
        (80, "float16"),  # A100
        (86, "float16"),  # A10G
        (89, "float16"),  # L4
        (90, "float16"),  # H100
        (120, "float16"),
    ],
)
def test_the_arithmetic_fits_the_device(sm: int | None, arithmetic: str) -> None:
    assert compute_type(sm) == arithmetic


@pytest.mark.parametrize(
    ("device", "look", "broken", "expected"),
    [
        ("auto", Look(None, "no NVIDIA driver was found"), False, ("cpu", "int8", "cpu: no NVIDIA driver was found")),
        ("cpu", Look(T4, "found Tesla T4"), False, ("cpu", "int8", "cpu: asked for by the setting")),
        ("auto", Look(T4, "found Tesla T4"), False, ("cuda", "int8_float16", "cuda: Tesla T4")),
        ("auto", Look(T4, "found Tesla T4"), True, ("cpu", "int8", "cpu: Tesla T4 could not be used: no cuBLAS")),
    ],
)
def test_a_gpu_is_used_where_it_can_be(
    monkeypatch: pytest.MonkeyPatch,
    executor: ThreadPoolExecutor,
    device: Literal["auto", "cpu"],
    look: Look,
    broken: bool,
    expected: tuple[str, str, str],
) -> None:
    def opened(_spec: Any, _path: Path, where: str, arithmetic: str, _threads: int) -> Any:
        if broken and where == "cuda":
            raise BackendError("no cuBLAS")
        return where, arithmetic

    monkeypatch.setattr(choose, "Ctranslate2Model", opened)
    (spec,) = named(["whisper_base"], catalog())
    wishes = Wishes(WeightPlaces(Path("/nowhere"), Path("/nowhere")), device)
    placed = choose.place_model(spec, Path("model.bin"), wishes, executor, 2, look)
    where, arithmetic, reason = expected
    assert placed.model == (where, arithmetic)
    assert (placed.backend, placed.device, placed.precision) == ("ctranslate2", where, arithmetic)
    assert placed.reason == f"{reason}; ctranslate2: what runs weights of this format"


@pytest.mark.parametrize("name", ["silero_vad", "speaker_ge2e"])
def test_small_networks_beside_speech_run_on_the_cpu_where_only_speech_can_have_the_gpu(
    monkeypatch: pytest.MonkeyPatch, executor: ThreadPoolExecutor, tmp_path: Path, name: str
) -> None:
    """The GPU image for speech has CTranslate2 with cuBLAS, and ONNX Runtime for the CPU."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    (spec,) = named([name], catalog())
    places = WeightPlaces(tmp_path, tmp_path)
    wishes = Wishes(places, "cuda", tensorrt="off")
    placed = choose.place_model(spec, ensure(spec, places), wishes, executor, 1, Look(T4, "found Tesla T4"))
    assert placed.device == "cpu"
    assert "is built for the CPU; install onnxruntime-gpu instead of it" in placed.reason


def test_cublas_is_found_by_its_name_once_it_was_loaded_from_its_package(tmp_path: Path) -> None:
    if COMPILER is None:
        pytest.skip("no compiler makes the libraries that stand in")
    folder = tmp_path / "nvidia" / "cublas" / "lib"
    folder.mkdir(parents=True)
    (tmp_path / "nvidia" / "__init__.py").touch()
    (tmp_path / "nvidia" / "cublas" / "__init__.py").touch()
    names = ("libreelwardenLt.so.12", "libreelwarden.so.12")
    for name in names:
        command = [COMPILER, "-shared", "-nostdlib", "-x", "c", "/dev/null", f"-Wl,-soname,{name}", "-o", folder / name]
        subprocess.run(command, check=True)
    opens = f"import ctypes, sys; sys.path.insert(0, sys.argv[1]); {{}} ctypes.CDLL('{names[1]}')"
    loads = f"from serve.backends import cublas; cublas.LIBRARIES = {names}; cublas.load_cublas();"
    for before, works in (("", False), (loads, True)):
        done = subprocess.run([sys.executable, "-c", opens.format(before), tmp_path], capture_output=True, text=True)
        assert (done.returncode == 0) == works, done.stderr


def test_cublas_that_is_missing_is_an_error_that_names_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nvidia", None)
    monkeypatch.setattr(cublas, "LIBRARIES", ("libno_such_cublas.so.12",))
    (spec,) = named(["whisper_base"], catalog())
    with pytest.raises(BackendError, match=r"needs libno_such_cublas.so.12, .*pip install nvidia-cublas-cu12"):
        Ctranslate2Model(spec, Path("model.bin"), "cuda", "float16", 1)


def test_a_file_that_ctranslate2_would_not_find_is_named(tmp_path: Path) -> None:
    (spec,) = named(["whisper_base"], catalog())
    with pytest.raises(BackendError, match=r"weights\.bin must be called model\.bin; set `file_name`"):
        Ctranslate2Model(spec, tmp_path / "weights.bin", "cpu", "int8", 1)


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    (spec,) = named(["whisper_base"], catalog())
    (tmp_path / "model.bin").write_bytes(b"nonsense")
    with pytest.raises(BackendError, match=r"whisper_base: CTranslate2 cannot load .*: .+"):
        Ctranslate2Model(spec, tmp_path / "model.bin", "cpu", "int8", 1)


class Ears:
    """A Whisper of which a GPU holds two rows at once."""

    def __init__(self) -> None:
        self.sizes: list[int] = []


class LittleRoom(Ctranslate2Model):
    """The model from its checks to the cutting into parts, without a network behind."""

    languages = ("en",)

    def __init__(self, spec: ModelSpec, fits: int, words: str = "CUDA failed with error out of memory") -> None:
        self._spec, self._most, self._halved, self._whisper = spec, spec.batch.most, "", Ears()
        self._fits, self._words = fits, words

    def _transcribe(self, waveform: Any, filled: Any, *_: Any) -> Iterator[tuple[Said, Language]]:
        self._whisper.sizes.append(len(waveform))
        if len(waveform) > self._fits:
            raise RuntimeError(self._words)
        return ((Said([str(samples)], [(0.0, 1.0)], [0.5]), Language("en", 1.0)) for samples in filled)


def heard(model: Ctranslate2Model, rows: int) -> list[str]:
    (spec,) = named(["whisper_base"], catalog())
    sound = {
        spec.input_name: np.zeros((rows, spec.hears().samples), np.float32),
        "filled": np.arange(rows),
        "language": np.full(rows, "en"),
        "usual_language": np.full(rows, ""),
        "file_number": np.zeros(rows, np.int64),
        "usual_seconds": np.zeros(rows),
        "beam_size": np.full(rows, 1),
    }
    return model.run(sound)["words"][:, 0].tolist()


def test_a_full_memory_halves_the_batch_of_speech_and_says_so() -> None:
    (spec,) = named(["whisper_base"], catalog())
    model = LittleRoom(spec, fits=5)
    assert heard(model, 11) == [str(row) for row in range(11)]
    assert model._whisper.sizes == [11, 8, 4, 4, 3]
    assert model.notes == "the GPU's memory was full, so at most 4 rows are run at once"


def test_a_memory_too_small_for_speech_names_the_fix_and_other_failures_do_not() -> None:
    (spec,) = named(["whisper_base"], catalog())
    with pytest.raises(BackendError, match=r"memory is full with one row .*run fewer domains"):
        heard(LittleRoom(spec, fits=0), 3)
    with pytest.raises(BackendError, match="whisper_base: inference failed: cuBLAS is not here"):
        heard(LittleRoom(spec, 0, "cuBLAS is not here"), 3)
    with pytest.raises(DeviceLostError, match="whisper_base: the GPU failed for good"):
        heard(LittleRoom(spec, 0, "CUDA failed with error unspecified launch failure"), 3)


def test_what_speech_keeps_of_a_gpus_memory_is_capped_beside_other_models(
    monkeypatch: pytest.MonkeyPatch, executor: ThreadPoolExecutor
) -> None:
    for name in ("CT2_CUDA_ALLOCATOR", "CT2_CUDA_CACHING_ALLOCATOR_CONFIG"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(choose, "Ctranslate2Model", lambda *_: None)
    (spec,) = named(["whisper_base"], catalog())
    wishes = Wishes(WeightPlaces(Path("/nowhere"), Path("/nowhere")), memory_share=0.5, models=4)
    choose.place_model(spec, Path("model.bin"), wishes, executor, 2, Look(T4, "found Tesla T4"))
    assert os.environ["CT2_CUDA_ALLOCATOR"] == "cub_caching"
    assert os.environ["CT2_CUDA_CACHING_ALLOCATOR_CONFIG"] == f"4,3,12,{(15 << 30) // 8}"


def test_another_language_than_the_one_of_a_model_is_refused_by_name() -> None:
    (spec,) = named(["whisper_tiny_en"], catalog())
    model = LittleRoom(spec, fits=5)
    ready = Ready(spec, Placed(model, "ctranslate2", "cpu", "cpu"), model, Path())
    with pytest.raises(UsageError, match="language='de': whisper_tiny_en does not know it; it knows en alone"):
        check_language("de", {"transcription": {"transcriber": ready}})
    check_language("en", {"transcription": {"transcriber": ready}})
    check_language("", {"transcription": {"transcriber": ready}})
