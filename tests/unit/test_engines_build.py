"""Engines are built with a strongly typed network, a timing cache and a compatibility that is asked for."""

from __future__ import annotations

import importlib.util
import logging
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto
from typer.testing import CliRunner

from model_zoo.catalog import catalog, named
from model_zoo.engines import build as build_module
from model_zoo.engines.build import Aim, build
from model_zoo.engines.shapes import served_shapes
from model_zoo.errors import BackendError, UsageError
from model_zoo.weights import ensure
from serve.backends.place import Source
from serve.cli import app
from serve.cli_build import target
from serve.devices import Gpu
from serve.engines import Wanted, compiled, made, ready
from serve.settings import load_settings
from tests import stand_in_tensorrt
from tests.contract.test_every_backend import SIZE, mean_of_channels, spec_of
from tests.stand_in_tensorrt import CONFIGS
from tests.unit.weights_fixtures import places_in

SPEC = spec_of()
T4 = Gpu("Tesla T4", 75, 16 << 30, 12_080)
HAS_TENSORRT = importlib.util.find_spec("tensorrt_rtx") is not None
needs_tensorrt = pytest.mark.skipif(not HAS_TENSORRT, reason="tensorrt_rtx is not installed: make tensorrt-check")


@pytest.fixture
def _tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in_tensorrt.module())


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return mean_of_channels(tmp_path / "mean.onnx", TensorProto.UINT8, [1, 2], ["batch", SIZE, SIZE, 3])


@pytest.mark.usefixtures("_tensorrt")
@pytest.mark.parametrize(
    ("compatible", "level"), [("none", "none"), ("same_sm", "same capability"), ("ampere_plus", "ampere and newer")]
)
def test_an_engine_may_be_for_one_gpu_or_for_more(weights: Path, compatible: Any, level: str) -> None:
    build(weights.read_bytes(), SPEC, Aim(compatible=compatible))
    assert CONFIGS[-1].hardware_compatibility_level == level


@pytest.mark.usefixtures("_tensorrt")
@pytest.mark.parametrize(("known", "learnt"), [(b"", b"timed;"), (b"timed;", b"timed;timed;"), (b"other", b"timed;")])
def test_what_was_timed_is_timed_no_more_unless_on_another_gpu(weights: Path, known: bytes, learnt: bytes) -> None:
    assert build(weights.read_bytes(), SPEC, Aim(), known).timing_cache == learnt


@pytest.mark.usefixtures("_tensorrt")
def test_engines_of_one_gpu_share_what_was_timed(weights: Path, tmp_path: Path) -> None:
    places = places_in(tmp_path)
    for precision in ("fp32", "fp16"):
        made(Wanted(SPEC, Source(weights, precision, ""), 75, T4, places, 1 << 30))  # type: ignore[arg-type]
    (timing,) = (places.cache / "engines" / "timing").iterdir()
    assert timing.read_bytes() == b"timed;timed;"


@pytest.mark.usefixtures("_tensorrt")
def test_a_build_tells_of_its_progress(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "SAY_SECONDS", 0.0)
    said: list[str] = []
    build(weights.read_bytes(), SPEC, Aim(), told=said.append)
    assert said == [f"mean: Building engine, step {step} of 3" for step in (1, 2, 3)]


@pytest.mark.usefixtures("_tensorrt")
def test_a_build_is_told_in_the_log(weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "serve.engines")
    made(Wanted(SPEC, Source(weights, "fp32", ""), 75, T4, places_in(tmp_path), 1 << 30))
    assert caplog.messages[0] == "mean: tensorrt builds its engine for sm 75; this may take minutes"
    assert caplog.messages[-1].startswith("mean: built in ")


@pytest.mark.parametrize(("asked", "sm"), [("t4", 75), ("A10G", 86), ("l4", 89), ("sm86", 86), ("sm120", 120)])
def test_a_gpu_is_named_by_its_card_or_its_capability(asked: str, sm: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", stand_in_tensorrt.module())
    assert target(asked) == (sm, None)


def test_without_a_gpu_one_must_be_named_and_known() -> None:
    with pytest.raises(UsageError, match=r"no NVIDIA driver .*: name the GPU to build for, e\.g\. --gpu t4"):
        target(None)
    with pytest.raises(UsageError, match=r"--gpu k80: write t4, .* or the compute capability, e\.g\. sm75"):
        target("k80")


def test_without_a_library_the_fix_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(UsageError, match=r"tensorrt_rtx is not installed: .*pip install tensorrt-rtx-cu12"):
        target("t4")


@needs_tensorrt
def test_models_build_makes_an_engine_for_a_gpu_that_is_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELWARDEN_CACHE", str(tmp_path))  # the weights are the project's own
    command = ["models", "build", "nsfwjs_mobilenet_v2", "--gpu", "a10g"]
    first = CliRunner().invoke(app, command, catch_exceptions=False)
    assert first.exit_code == 0
    assert "nsfwjs_mobilenet_v2: built in" in first.stdout
    assert "fp32, sm 86" in first.stdout
    (plan,) = (tmp_path / "engines").glob("nsfwjs_mobilenet_v2-*/fp32-*/engine.plan")
    assert plan.stat().st_size > 5_000_000
    second = CliRunner().invoke(app, command, catch_exceptions=False)
    assert "nsfwjs_mobilenet_v2: present" in second.stdout


@needs_tensorrt
@pytest.mark.weights
@pytest.mark.parametrize("name", ["opennsfw", "yamnet", "ppocr_v4_rec"])
def test_what_serving_compiles_is_what_tensorrt_takes(name: str) -> None:
    """BGR pictures, weights stored as bytes, sides of any length."""
    (spec,) = named([name], catalog())
    weights = ensure(spec, load_settings().weight_places())
    assert build(compiled(spec, Source(weights, "fp32", "")), spec, Aim(86)).plan


@needs_tensorrt
def test_a_plan_for_another_capability_is_not_taken(weights: Path, tmp_path: Path) -> None:
    places = places_in(tmp_path)
    kept, name, now = made(Wanted(SPEC, Source(weights, "fp32", ""), 86, None, places, 1 << 30))
    assert (name, now) == ("tensorrt_rtx", True)
    assert kept.facts.fit.gpu == "sm 86"
    assert kept.facts.fit.shapes == served_shapes(SPEC).text()
    a10g = Gpu("NVIDIA A10G", 86, 24 << 30, 12_080)
    assert ready(Wanted(SPEC, Source(weights, "fp32", ""), 86, a10g, places, 1 << 30))[0] == kept
    with pytest.raises(BackendError, match="its gpu is sm 86, here it is sm 75"):
        ready(Wanted(SPEC, Source(weights, "fp32", ""), 75, T4, places, 1 << 30))


@needs_tensorrt
@pytest.mark.weights
def test_other_threads_go_on_while_an_engine_is_built() -> None:
    (spec,) = named(["ppocr_v4_det"], catalog())
    content = compiled(spec, Source(ensure(spec, load_settings().weight_places()), "fp32", ""))
    thread = threading.Thread(target=build, args=(content, spec, Aim(86)))
    thread.start()
    rounds = 0
    while thread.is_alive():
        time.sleep(0.01)
        rounds += 1
    assert rounds > 10  # it takes seconds
