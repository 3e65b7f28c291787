"""How TensorRT is used is a setting; whatever cannot be used is passed over with its reason, down to the CPU."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from model_zoo.manifest import Batch
from model_zoo.precisions import kept_at
from model_zoo.weights import WeightPlaces
from serve.backends import choose, on_gpu
from serve.backends.choose import place_model
from serve.backends.place import Placed, Source, TensorrtUse, WantedPrecision, Wishes
from serve.devices import Gpu, Look
from serve.engines import Wanted, made
from serve.settings import load_settings
from serve.web.service import Service
from tests import stand_in_onnxruntime, stand_in_tensorrt
from tests.contract.test_every_backend import SIZE, mean_of_channels, spec_of
from tests.stand_in_onnxruntime import CUDA, GRAPHS, TENSORRT, Told
from tests.stand_in_tensorrt import CONFIGS, Builder, HostMemory
from tests.unit.test_precisions import keep
from tests.unit.weights_fixtures import places_in

SPEC = spec_of().model_copy(update={"batch": Batch(best=4, most=16)})
T4 = Gpu("Tesla T4", 75, 16 << 30, 12_080)
A10G = Gpu("NVIDIA A10G", 86, 24 << 30, 12_080)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return mean_of_channels(tmp_path / "mean.onnx", TensorProto.UINT8, [1, 2], ["batch", SIZE, SIZE, 3])


@pytest.fixture
def places(tmp_path: Path) -> WeightPlaces:
    return places_in(tmp_path)


@pytest.fixture
def _no_tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tensorrt", "tensorrt_bindings", "tensorrt_libs", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def _tensorrt(monkeypatch: pytest.MonkeyPatch, _no_tensorrt: None) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in_tensorrt.module())
    monkeypatch.setattr(on_gpu, "GpuMemory", HostMemory)


@pytest.fixture
def broken() -> set[str]:
    """Return the providers of ONNX Runtime that give up."""
    return set()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, broken: set[str]) -> Told:
    """Return what ONNX Runtime's providers are told."""
    return stand_in_onnxruntime.install(monkeypatch, broken)


def place(
    weights: Path,
    places: WeightPlaces,
    tensorrt: TensorrtUse,
    gpu: Gpu = T4,
    precision: WantedPrecision = "auto",
    graphs: bool = False,
) -> Placed:
    """Place the model, and let it show that it works."""
    wishes = Wishes(places, tensorrt=tensorrt, precision=precision, graphs=graphs)
    with ThreadPoolExecutor(1) as executor:
        placed = place_model(SPEC, weights, wishes, executor, 1, Look(gpu, f"found {gpu.name}"))
        pixels = np.random.default_rng(3).integers(0, 256, (21, SIZE, SIZE, 3), np.uint8)
        np.testing.assert_allclose(placed.model.run({"pixels": pixels})["scores"], pixels.mean(axis=(1, 2)), rtol=1e-5)
    return placed


@pytest.mark.usefixtures("_no_tensorrt", "told")
@pytest.mark.parametrize("tensorrt", ["off", "auto"])
def test_where_tensorrt_is_not_installed_cuda_is_used_without_more_words(
    weights: Path, places: WeightPlaces, tensorrt: TensorrtUse
) -> None:
    placed = place(weights, places, tensorrt, precision="fp32")
    assert placed.reason == "cuda: Tesla T4; onnxruntime: the only backend"


@pytest.mark.usefixtures("_no_tensorrt", "told")
def test_tensorrt_that_was_asked_for_and_is_not_here_is_missed_with_the_fix(
    weights: Path, places: WeightPlaces
) -> None:
    placed = place(weights, places, "plan", precision="fp32")
    assert (placed.backend, placed.device) == ("onnxruntime", "cuda")
    assert "not by a TensorRT plan: tensorrt is not installed: `pip install" in placed.reason
    assert "or build the image with WITH_TENSORRT=1" in placed.reason
    assert "; not by TensorRT's provider: tensorrt is not installed" in placed.reason


@pytest.mark.usefixtures("_tensorrt", "told")
def test_a_plan_is_built_at_the_first_start_and_found_at_the_next(weights: Path, places: WeightPlaces) -> None:
    CONFIGS.clear()
    first = place(weights, places, "plan")
    assert (first.backend, first.device, first.precision) == ("tensorrt", "cuda", "fp32")
    assert first.reason.startswith("cuda: Tesla T4; tensorrt 10.16.1.11: engine built in ")
    second = place(weights, places, "plan")
    assert f"engine found in {places.cache}" in second.reason
    assert len(CONFIGS) == 1
    assert CONFIGS[0].profiles[0].ranges == {"pixels": [[1, 8, 8, 3], [8, 8, 8, 3], [16, 8, 8, 3]]}
    assert CONFIGS[0].hardware_compatibility_level == "none"


@pytest.mark.usefixtures("_tensorrt", "told")
def test_auto_takes_a_plan_that_lies_ready_and_builds_none(weights: Path, places: WeightPlaces) -> None:
    assert place(weights, places, "auto").backend == "onnxruntime-tensorrt"
    made(Wanted(SPEC, Source(weights, "fp32", ""), 75, T4, places, 1 << 30))
    assert place(weights, places, "auto").backend == "tensorrt"


@pytest.mark.usefixtures("_tensorrt", "told")
def test_a_plan_for_another_gpu_is_refused_and_the_provider_takes_over(weights: Path, places: WeightPlaces) -> None:
    made(Wanted(SPEC, Source(weights, "fp32", ""), 75, T4, places, 1 << 30))
    placed = place(weights, places, "auto", A10G)
    assert placed.backend == "onnxruntime-tensorrt"
    assert "does not fit: its gpu is Tesla T4 (sm 75), here it is NVIDIA A10G (sm 86)" in placed.reason


@pytest.mark.usefixtures("_tensorrt", "told")
def test_an_engine_that_gives_other_answers_is_refused(
    weights: Path, places: WeightPlaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    other = mean_of_channels(tmp_path / "other" / "m.onnx", TensorProto.UINT8, [1, 3], ["batch", SIZE, SIZE, 3])
    wrong = stand_in_tensorrt.plan_of(other.read_bytes(), [{"pixels": [[1, 8, 8, 3], [8, 8, 8, 3], [16, 8, 8, 3]]}])
    monkeypatch.setattr(stand_in_tensorrt.Builder, "build_serialized_network", lambda self, network, config: wrong)
    placed = place(weights, places, "plan")
    assert placed.backend == "onnxruntime-tensorrt"
    assert "TensorRT's answers are not those of ONNX Runtime: scores differs by inf" in placed.reason


@pytest.mark.usefixtures("_tensorrt")
def test_the_provider_is_told_where_engines_are_kept_and_which_shapes_come(
    weights: Path, places: WeightPlaces, told: Told
) -> None:
    keep(kept_at(SPEC, places))
    placed = place(weights, places, "provider", graphs=True)
    assert placed.precision == "fp16"
    assert placed.reason.startswith("cuda: Tesla T4; onnxruntime with its TensorRT provider: engine built in ")
    assert [name for name, _ in told] == [TENSORRT, CUDA, "CPUExecutionProvider"]
    options = told[0][1]
    assert Path(options.pop("trt_engine_cache_path"), "built.engine").exists()
    assert options == {
        "device_id": "0",
        "trt_engine_cache_enable": "True",
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": str(places.cache / "engines" / "timing"),
        "trt_fp16_enable": "True",
        "trt_int8_enable": "False",
        "trt_max_workspace_size": str(4 << 30),
        "trt_profile_min_shapes": "pixels:1x8x8x3",
        "trt_profile_opt_shapes": "pixels:8x8x8x3",
        "trt_profile_max_shapes": "pixels:16x8x8x3",
    }
    again = place(weights, places, "provider")
    assert "engine found in" in again.reason


@pytest.mark.usefixtures("_tensorrt", "told")
def test_a_provider_that_gives_up_is_passed_over_for_cuda(
    weights: Path, places: WeightPlaces, broken: set[str]
) -> None:
    broken.add(TENSORRT)
    placed = place(weights, places, "provider")
    assert placed.backend == "onnxruntime"
    assert "could not start its TensorRT provider; is TensorRT 10 installed?" in placed.reason
    assert not list((places.cache / "engines").glob("mean-*/*"))


@pytest.mark.usefixtures("_tensorrt", "told")
def test_what_a_provider_says_when_it_cannot_start_is_in_the_reason(
    weights: Path, places: WeightPlaces, broken: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    broken.add("raises")
    placed = place(weights, places, "provider")
    assert placed.backend == "onnxruntime"
    assert "input(s) has no associated shape profiles" in placed.reason
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("_tensorrt", "told")
def test_the_provider_is_given_numbers_first_as_tensorrt_takes_no_other_step_on_bytes(
    weights: Path, places: WeightPlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[bytes] = []
    real = onnxruntime.InferenceSession.real  # type: ignore[attr-defined]  # the stand-in's

    def noted(content: bytes, *given: object, **named: object) -> object:
        opened.append(content)
        return real(content, *given, **named)

    monkeypatch.setattr(onnxruntime.InferenceSession, "real", staticmethod(noted))
    place(weights, places, "provider")
    nodes = onnx.load_model_from_string(opened[0]).graph.node
    assert [node.op_type for node in nodes if "pixels" in node.input] == ["Cast"]


@pytest.mark.usefixtures("_tensorrt", "told")
def test_a_library_that_fails_in_its_own_way_is_passed_over_too(
    weights: Path, places: WeightPlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_builder(*_: object) -> None:
        raise TypeError("pybind11::init(): factory function returned nullptr")

    monkeypatch.setattr(stand_in_tensorrt.Builder, "__init__", broken_builder)
    placed = place(weights, places, "plan")
    assert placed.backend == "onnxruntime-tensorrt"
    assert "not by a TensorRT plan: TypeError: pybind11::init(): factory function returned nullptr" in placed.reason


@pytest.mark.usefixtures("_tensorrt", "told")
def test_a_provider_that_takes_no_node_is_not_said_to_run_the_model(
    weights: Path, places: WeightPlaces, broken: set[str]
) -> None:
    broken.add("no node")
    placed = place(weights, places, "provider")
    assert placed.backend == "onnxruntime"
    assert "TensorRT provider takes no part of this network" in placed.reason
    assert not list((places.cache / "engines").glob("mean-*/*"))


@pytest.mark.usefixtures("_tensorrt")
def test_the_cpu_is_the_end_of_the_chain_and_every_reason_is_told(
    weights: Path, places: WeightPlaces, told: Told, broken: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken |= {TENSORRT, CUDA}
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in_tensorrt.module("11.4.0.106"))
    monkeypatch.setattr(stand_in_tensorrt.Builder, "build_serialized_network", lambda self, network, config: None)
    placed = place(weights, places, "plan")
    assert placed.device == "cpu"
    assert not told
    for reason in (
        "cpu: Tesla T4 could not be used",
        "TensorRT cannot build it: no reason given",
        "TensorRT 11.4.0.106 is here; ONNX Runtime's provider needs 10",
        "could not start its CUDA provider",
    ):
        assert reason in placed.reason


@pytest.mark.usefixtures("_tensorrt", "told")
def test_on_a_gpu_fp16_is_taken_where_it_was_exported(weights: Path, places: WeightPlaces) -> None:
    assert place(weights, places, "off").reason.endswith(
        "; fp32: no fp16 file is here: run `python -m export test/mean --to fp16 --keep`"
    )
    keep(kept_at(SPEC, places))
    placed = place(weights, places, "off")
    assert placed.precision == "fp16"
    assert placed.reason.endswith("; fp16: exported; change of a final score: 0.0004 of 0.01 allowed")
    assert place(weights, places, "off", precision="fp32").precision == "fp32"


@pytest.mark.usefixtures("_tensorrt")
def test_graphs_that_are_asked_for_are_captured_by_plans_and_by_cuda_but_not_by_the_provider(
    weights: Path, places: WeightPlaces, told: Told
) -> None:
    assert len(place(weights, places, "plan", graphs=True).model._captured) == 5  # type: ignore[attr-defined]
    assert not GRAPHS.captured
    told.clear()
    place(weights, places, "provider", graphs=True)
    assert all(options.get("enable_cuda_graph") != "1" for _, options in told)
    assert not GRAPHS.captured
    place(weights, places, "off", graphs=True)
    assert [size for _, size in GRAPHS.captured] == ["1", "2", "4", "8", "16"]


@pytest.mark.weights
@pytest.mark.usefixtures("_tensorrt", "told")
def test_ping_says_starting_while_engines_are_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "look_for_gpu", lambda: Look(T4, "found Tesla T4"))
    states: list[str] = []
    settings = load_settings(
        domains="labels", tensorrt="plan", cache=tmp_path, shipped_weights=load_settings().cache, threads=1
    )
    service = Service(settings, deadline_seconds=60.0)
    monkeypatch.setattr(Builder, "meanwhile", staticmethod(lambda: states.append(service.state)))
    service.load()
    assert states == ["starting"] * 3
    assert service.state == "ready"
    service.close()
