"""Where speech recognition runs, in which arithmetic, and why."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pytest

from model_zoo.catalog import catalog, named
from model_zoo.errors import BackendError
from model_zoo.weights import WeightPlaces
from serve.backends import choose
from serve.backends.ctranslate2 import Ctranslate2Model, compute_type
from serve.backends.place import Wishes
from serve.devices import Gpu, Look

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


def test_a_file_that_ctranslate2_would_not_find_is_named(tmp_path: Path) -> None:
    (spec,) = named(["whisper_base"], catalog())
    with pytest.raises(BackendError, match=r"weights\.bin must be called model\.bin; set `file_name`"):
        Ctranslate2Model(spec, tmp_path / "weights.bin", "cpu", "int8", 1)


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    (spec,) = named(["whisper_base"], catalog())
    (tmp_path / "model.bin").write_bytes(b"nonsense")
    with pytest.raises(BackendError, match=r"whisper_base: CTranslate2 cannot load .*: .+"):
        Ctranslate2Model(spec, tmp_path / "model.bin", "cpu", "int8", 1)
