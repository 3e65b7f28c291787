"""What every inference backend must do; a new backend joins by one entry in BACKENDS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from faster_whisper.audio import decode_audio
from onnx import TensorProto, helper

from model_zoo.catalog import catalog, named
from model_zoo.engines.shapes import served_shapes
from model_zoo.errors import BackendError
from model_zoo.manifest import Input, Licence, ModelSpec, SoundInput, TextInput
from model_zoo.values import Model
from model_zoo.weights import WeightPlaces, ensure
from serve.backends.ctranslate2 import Ctranslate2Model
from serve.backends.fake import FakeModel
from serve.backends.front import with_front
from serve.backends.onnx import OnnxModel
from serve.backends.onnx_cuda import OnnxCudaModel, Target
from serve.backends.tensorrt_plan import TensorrtPlanModel
from serve.settings import load_settings
from tests import stand_in_tensorrt
from tests.conftest import MEDIA

SIZE = 8
SAMPLES = 100
Open = Callable[[Path, ThreadPoolExecutor], Model]


def spec_of(**changes: object) -> ModelSpec:
    wanted: dict[str, object] = {"name": "pixels", "width": SIZE, "height": SIZE, "fit": "stretch"} | changes
    return spec_that_takes(input=Input.model_validate(wanted))


def sound_spec() -> ModelSpec:
    return spec_that_takes(sound=SoundInput(name="waveform", sample_rate=1000, window_seconds=0.1, hop_seconds=0.05))


def spec_that_takes(**taken: Input | SoundInput | TextInput) -> ModelSpec:
    return ModelSpec(
        name="mean",
        domain="test",
        manifest=Path("models.toml"),
        role="test",
        title="mean of each row",
        decoder="none",
        sources=("file:mean.onnx",),
        sha256="0" * 64,
        size_bytes=1,
        licence=Licence(weights="Apache-2.0", code="Apache-2.0", commercial=True),
        outputs=("scores",),
        **taken,
    )


def mean_of_channels(path: Path, dtype: int, axes: list[int], shape: list[str | int]) -> Path:
    """Write a network whose one output is the mean of each channel, (N, 3)."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["scores"], axes=axes, keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("pixels", dtype, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 3])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def onnx_backend(folder: Path, executor: ThreadPoolExecutor) -> Model:
    path = mean_of_channels(folder / "mean.onnx", TensorProto.UINT8, [1, 2], ["batch", SIZE, SIZE, 3])
    return OnnxModel(spec_of(), path, executor, threads=2)


def onnx_backend_with_front(folder: Path, executor: ThreadPoolExecutor) -> Model:
    path = mean_of_channels(folder / "mean.onnx", TensorProto.FLOAT, [2, 3], ["batch", 3, SIZE, SIZE])
    return OnnxModel(spec_of(dtype="float32", layout="NCHW"), path, executor, threads=2)


def onnx_backend_of_sound(folder: Path, executor: ThreadPoolExecutor) -> Model:
    path = folder / "mean.onnx"
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["waveform"], ["scores"], axes=[1], keepdims=1)],
        "mean",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", SAMPLES])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 1])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return OnnxModel(sound_spec(), path, executor, threads=2)


def cuda_backend_up_to_the_device(folder: Path, executor: ThreadPoolExecutor) -> Model:
    path = mean_of_channels(folder / "mean.onnx", TensorProto.FLOAT, [2, 3], ["batch", 3, SIZE, SIZE])
    host = Target(provider="CPUExecutionProvider", memory="cpu")
    return OnnxCudaModel(spec_of(dtype="float32", layout="NCHW"), path, host)


def cuda_backend(folder: Path, executor: ThreadPoolExecutor) -> Model:
    path = mean_of_channels(folder / "mean.onnx", TensorProto.FLOAT, [2, 3], ["batch", 3, SIZE, SIZE])
    return OnnxCudaModel(spec_of(dtype="float32", layout="NCHW"), path, Target(most_bytes=1 << 30))


def plan_up_to_the_device(folder: Path, executor: ThreadPoolExecutor) -> Model:
    path = mean_of_channels(folder / "mean.onnx", TensorProto.FLOAT, [2, 3], ["batch", 3, SIZE, SIZE])
    spec = spec_of(dtype="float32", layout="NCHW")
    shapes = served_shapes(spec)
    ranges = {"pixels": [list(shape) for shape in (shapes.least, shapes.usual, shapes.most)]}
    plan = stand_in_tensorrt.plan_of(with_front(spec, path), [ranges])
    return TensorrtPlanModel(spec, plan, stand_in_tensorrt.module(), stand_in_tensorrt.HostMemory())


def fake_backend(folder: Path, executor: ThreadPoolExecutor) -> Model:
    return FakeModel(spec_of(), {"scores": lambda pixels: pixels.astype(np.float32).mean(axis=(1, 2))})


def fake_backend_of_sound(folder: Path, executor: ThreadPoolExecutor) -> Model:
    return FakeModel(sound_spec(), {"scores": lambda waveform: waveform.mean(axis=1, keepdims=True)})


BACKENDS: dict[str, Open] = {
    "onnxruntime": onnx_backend,
    "onnxruntime with a front": onnx_backend_with_front,
    "onnxruntime, cuda up to the device": cuda_backend_up_to_the_device,
    "onnxruntime, cuda": cuda_backend,
    "tensorrt plan up to the device": plan_up_to_the_device,
    "fake": fake_backend,
}
SOUND_BACKENDS: dict[str, Open] = {
    "onnxruntime, sound": onnx_backend_of_sound,
    "fake, sound": fake_backend_of_sound,
}


@dataclass(frozen=True, slots=True)
class Taker:
    """A model and what it takes: the mean of each channel, or of each window, comes out."""

    model: Model
    name: str
    axes: tuple[int, ...]
    wrong: tuple[np.ndarray, np.ndarray]  # by type, by shape
    complaint: str

    def rows(self, count: int) -> np.ndarray:
        """Return noise that the model takes."""
        random = np.random.default_rng(7)
        if self.name == "waveform":
            return random.uniform(-1, 1, (count, SAMPLES)).astype(np.float32)
        return random.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)

    def run(self, rows: np.ndarray) -> np.ndarray:
        """Return the scores, (N, 3) or (N, 1)."""
        return self.model.run({self.name: rows})["scores"]

    def means(self, rows: np.ndarray) -> np.ndarray:
        """Return what the scores must be."""
        return rows.mean(axis=self.axes, dtype=np.float64).reshape(len(rows), -1)


NEEDS_GPU = {"onnxruntime, cuda"}


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.gpu if name in NEEDS_GPU else ()) for name in (*BACKENDS, *SOUND_BACKENDS)
    ]
)
def taker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Taker]:
    with ThreadPoolExecutor(2) as executor:
        if request.param in BACKENDS:
            wrong = (np.zeros((1, SIZE, SIZE, 3), np.float32), np.zeros((1, SIZE, SIZE + 1, 3), np.uint8))
            model = BACKENDS[request.param](tmp_path, executor)
            yield Taker(model, "pixels", (1, 2), wrong, r"takes uint8 \(N, 8, 8, 3\), got")
        else:
            wrong = (np.zeros((1, SAMPLES), np.float64), np.zeros((1, SAMPLES + 1), np.float32))
            model = SOUND_BACKENDS[request.param](tmp_path, executor)
            yield Taker(model, "waveform", (1,), wrong, r"takes float32 \(N, 100\), got")


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 33])
def test_a_batch_gives_the_same_rows_as_its_rows_one_by_one(taker: Taker, count: int) -> None:
    rows = taker.rows(count)
    together = taker.run(rows)
    alone = np.concatenate([taker.run(rows[n : n + 1]) for n in range(count)])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    np.testing.assert_allclose(together, taker.means(rows), rtol=1e-5, atol=1e-6)


def test_an_empty_batch_gives_an_empty_answer(taker: Taker) -> None:
    assert taker.run(taker.rows(0)).shape == (0, 1 if taker.name == "waveform" else 3)


def test_many_threads_may_call_one_model_at_once(taker: Taker) -> None:
    batches = [taker.rows(count) for count in (1, 5, 16, 3)] * 4
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(taker.run, batches))
    for rows, answer in zip(batches, answers, strict=True):
        np.testing.assert_allclose(answer, taker.means(rows), rtol=1e-5, atol=1e-6)


def test_the_input_is_not_changed_by_inference(taker: Taker) -> None:
    rows = taker.rows(5)
    before = rows.copy()
    taker.run(rows)
    assert np.array_equal(rows, before)


def test_a_wrong_input_name_is_named_in_the_error(taker: Taker) -> None:
    with pytest.raises(BackendError, match=rf"takes the input '{taker.name}', got \['image'\]"):
        taker.model.run({"image": taker.rows(1)})


@pytest.mark.parametrize("wrong", [0, 1], ids=["type", "shape"])
def test_a_wrong_type_or_shape_is_named_in_the_error(taker: Taker, wrong: int) -> None:
    with pytest.raises(BackendError, match=taker.complaint):
        taker.run(taker.wrong[wrong])


@pytest.fixture(scope="module")
def whisper() -> Ctranslate2Model:
    """Return the one backend that answers words: no made-up network can stand for it, so it is held on real weights."""
    settings = load_settings()
    (spec,) = named(["whisper_base"], catalog())
    path = ensure(spec, WeightPlaces(settings.model_dir, settings.cache))
    return Ctranslate2Model(spec, path, "cpu", "int8", 2)


def speech_of(*numbers: str) -> dict[str, np.ndarray]:
    waveform = np.zeros((len(numbers), 480_000), np.float32)
    filled = np.zeros(len(numbers), np.int64)
    for row, number in enumerate(numbers):
        sound = decode_audio(str(MEDIA / "speech" / f"librivox_{number}.wav"))
        waveform[row, : len(sound)], filled[row] = sound, len(sound)
    language = np.full(len(numbers), "en", "U3")
    beam_size = np.full(len(numbers), 1)
    file_number, usual_seconds = np.zeros(len(numbers), np.int64), np.zeros(len(numbers))
    return {
        "waveform": waveform, "filled": filled, "language": language, "usual_language": language,
        "file_number": file_number, "usual_seconds": usual_seconds, "beam_size": beam_size,
    }  # fmt: skip


@pytest.mark.weights
def test_speech_is_one_answer_a_row_alone_or_together_and_from_many_threads(whisper: Ctranslate2Model) -> None:
    asked = [speech_of("0930"), speech_of("0890"), speech_of("0930", "0890"), speech_of()]
    before = [{name: rows.copy() for name, rows in one.items()} for one in asked]
    with ThreadPoolExecutor(4) as callers:
        first, second, together, nothing = callers.map(whisper.run, asked)
    said = [[word for word in row if word] for row in together["words"].tolist()]
    assert said == [first["words"][0].tolist(), second["words"][0].tolist()]
    assert all(len(rows) == 0 for rows in nothing.values())
    for given, kept in zip(asked, before, strict=True):
        assert all(np.array_equal(given[name], kept[name]) for name in kept)


@pytest.mark.weights
def test_speech_of_a_wrong_name_type_or_shape_is_named_in_the_error(whisper: Ctranslate2Model) -> None:
    good = speech_of("0930")
    with pytest.raises(BackendError, match=r"takes the input 'waveform', got \['image'\]"):
        whisper.run({"image" if name == "waveform" else name: rows for name, rows in good.items()})
    for wrong in (good["waveform"].astype(np.float64), good["waveform"][:, 1:]):
        with pytest.raises(BackendError, match=r"takes float32 \(N, 480000\), got"):
            whisper.run(good | {"waveform": wrong})
    with pytest.raises(BackendError, match="also takes the inputs beam_size"):
        whisper.run({name: rows for name, rows in good.items() if name != "beam_size"})


def test_a_network_that_takes_any_width_is_run_at_each(tmp_path: Path) -> None:
    path = mean_of_channels(tmp_path / "mean.onnx", TensorProto.FLOAT, [2, 3], ["batch", 3, SIZE, "width"])
    with ThreadPoolExecutor(2) as executor:
        model = OnnxModel(spec_of(width=0, dtype="float32", layout="NCHW"), path, executor, threads=2)
        for width in (1, 5, 24):
            pixels = np.random.default_rng(7).integers(0, 256, (3, SIZE, width, 3), np.uint8)
            np.testing.assert_allclose(model.run({"pixels": pixels})["scores"], pixels.mean(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, SIZE + 1, 5, 3), (1, SIZE, 0, 3), (1, SIZE, 5, 4), (SIZE, 5, 3)])
def test_where_any_width_is_taken_the_rest_of_the_shape_still_counts(shape: tuple[int, ...]) -> None:
    model = FakeModel(spec_of(width=0), {})
    with pytest.raises(BackendError, match=r"takes uint8 \(N, 8, any, 3\), got"):
        model.run({"pixels": np.zeros(shape, np.uint8)})
