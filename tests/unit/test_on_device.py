"""Batches that stay where the decoder painted them: models read them there, whoever looks is given a copy."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from benchmarks.gpu_sections import pipeline_rates
from model_zoo.manifest import Batch
from model_zoo.report import Report
from model_zoo.values import Frames, View
from serve.asked import Stop, never_stop
from serve.backends import choose as placing
from serve.backends import on_gpu
from serve.backends.onnx import OnnxModel
from serve.backends.onnx_cuda import OnnxCudaModel, Target
from serve.batching import Joined
from serve.decode import choose as decoding
from serve.decode.nvdec import Nvdec
from serve.decode.reading import read
from serve.decode.sessions import Sessions
from serve.decode.wanted import Wanted
from serve.devices import Gpu, Look
from serve.limits import Limits
from serve.media import open_media
from serve.pipeline import Analyzer
from serve.settings import Settings, load_settings
from tests.clips import number_in, write_clip
from tests.conftest import MEDIA
from tests.contract.test_every_backend import SIZE, mean_of_channels, spec_of
from tests.stand_in_nvcodec import Library, Trouble
from tests.twin import HostBlock, HostPainter, HostRows

HOST = Target(provider="CPUExecutionProvider", memory="cpu")
GPU = Gpu("a stand-in", sm=86, memory_bytes=16 << 30, cuda=12_080)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return mean_of_channels(tmp_path / "mean.onnx", TensorProto.UINT8, [1, 2], ["batch", SIZE, SIZE, 3])


def lying(pixels: np.ndarray, room: int) -> HostRows:
    block = HostBlock(room * pixels[0].nbytes)
    block.array[: pixels.nbytes] = pixels.reshape(-1)
    return HostRows(block, pixels.shape)


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)


@pytest.mark.parametrize("graphs", [False, True], ids=["in place", "copied for a graph"])
@pytest.mark.parametrize(("count", "room"), [(1, 1), (3, 4), (7, 7), (13, 16), (16, 16), (33, 64)])
@pytest.mark.parametrize("most", [1, 5, 9, 16])
def test_a_model_reads_rows_where_they_lie(network: Path, count: int, room: int, most: int, graphs: bool) -> None:
    spec = spec_of().model_copy(update={"batch": Batch(best=1, most=most)})
    model, rows = OnnxCudaModel(spec, network, replace(HOST, graphs=graphs)), lying(noise(count), room)
    for _ in range(2):  # the second time all memory is there
        scores = model.run({"pixels": rows})["scores"]
        np.testing.assert_allclose(scores, noise(count).mean(axis=(1, 2)), rtol=1e-5)
    assert rows.fetched == 0


def test_rows_on_the_host_and_rows_on_the_device_share_what_is_bound(network: Path) -> None:
    model = OnnxCudaModel(spec_of().model_copy(update={"batch": Batch(best=1, most=8)}), network, HOST)
    for count in (8, 5, 8, 3):
        expected = noise(count).mean(axis=(1, 2))
        np.testing.assert_allclose(model.run({"pixels": noise(count)})["scores"], expected, rtol=1e-5)
        np.testing.assert_allclose(model.run({"pixels": lying(noise(count), 8)})["scores"], expected, rtol=1e-5)


def test_a_model_on_the_cpu_is_given_a_copy(network: Path) -> None:
    with ThreadPoolExecutor(2) as executor:
        scores = OnnxModel(spec_of(), network, executor, threads=2).run({"pixels": lying(noise(7), 8)})["scores"]
    np.testing.assert_allclose(scores, noise(7).mean(axis=(1, 2)), rtol=1e-5)


def test_rows_on_the_device_are_not_joined_with_those_of_others(network: Path) -> None:
    """They are a whole batch already, and joining them would copy them."""
    model = OnnxCudaModel(spec_of().model_copy(update={"batch": Batch(best=1, most=8)}), network, HOST)
    joined, batches = Joined("mean", model, most_rows=64), [lying(noise(count), 8) for count in (3, 5, 8) * 4]
    with ThreadPoolExecutor(len(batches)) as callers:
        answers = list(callers.map(lambda rows: joined.run({"pixels": rows})["scores"], batches))
    for rows, scores in zip(batches, answers, strict=True):
        assert rows.fetched == 0
        np.testing.assert_allclose(scores, noise(len(rows)).mean(axis=(1, 2)), rtol=1e-5)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = {"x264-params": "keyint=12:min-keyint=12:scenecut=0:bframes=2:log-level=none"}
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=60, options=options)


def batches(clip: Path, trouble: Trouble | None = None) -> Iterator[tuple[int, Frames, HostPainter]]:
    painter = HostPainter()
    nvdec = Nvdec(GPU, Sessions(Library(trouble), lambda: painter))
    wanted = [Wanted(View(160, 96), 0, 7, on_device=True), Wanted(View(160, 96), 0.2, 4)]
    with read(open_media(clip, Limits()), wanted, backend="nvdec", nvdec=nvdec) as reading:
        for asker, frames in reading:
            yield asker, frames, painter


def test_a_batch_that_only_a_model_reads_stays_on_the_device_until_somebody_looks(clip: Path) -> None:
    numbers: list[list[int]] = [[], []]
    for asker, frames, _ in batches(clip):
        assert isinstance(frames.rows, HostRows if asker == 0 else np.ndarray)
        if isinstance(frames.rows, HostRows):
            assert frames.rows.fetched == 0
            assert frames.rows.room == 8, "a model pads 7 rows to 8"
        assert frames.pixels.shape == (len(frames), 96, 160, 3)
        numbers[asker] += [number_in(picture) for picture in frames.pixels]
    assert numbers[0] == list(range(60))
    assert len(numbers[1]) == 12


def test_the_memory_of_a_batch_is_let_go_with_the_batch_and_never_before(clip: Path) -> None:
    most = 0
    for asker, frames, painter in batches(clip):
        if asker == 0:
            assert number_in(frames.pixels[0]) % 7 == 0
        most = max(most, len(painter.given))
        del frames
    assert most <= 6, "4 wait for the reader, one is read, one is made"
    gc.collect()
    assert len(painter.given) <= 1, "the loop's last"


@pytest.mark.parametrize("after_frames", [1, 7, 30, 59])
def test_when_the_gpu_fails_what_it_painted_is_fetched_and_the_cpu_goes_on(clip: Path, after_frames: int) -> None:
    numbers = [
        number_in(picture)
        for asker, frames, _ in batches(clip, Trouble(after_frames=after_frames))
        if asker == 0
        for picture in frames.pixels
    ]
    assert numbers == list(range(60))


def stand_in_for_a_gpu(
    monkeypatch: pytest.MonkeyPatch, device: str, painters: list[HostPainter], domains: str
) -> Settings:
    """Let the CPU play the GPU, its video engine included."""

    def new_painter() -> HostPainter:
        painters.append(HostPainter())
        return painters[-1]

    nvdec = Nvdec(GPU, Sessions(Library(), new_painter, engines=2))
    monkeypatch.setattr(decoding, "find_nvdec", lambda: nvdec)
    monkeypatch.setattr(placing, "look_for_gpu", lambda: Look(GPU, "found a stand-in"))
    monkeypatch.setattr(on_gpu, "why_no_cuda", lambda: None)
    monkeypatch.setattr(on_gpu, "OnnxCudaModel", lambda spec, path, target: OnnxCudaModel(spec, path, HOST))
    return load_settings(domains=domains, device=device, decoder="nvdec", threads=2)


def analyze(monkeypatch: pytest.MonkeyPatch, device: str, stop: Stop = never_stop) -> tuple[Report, list[HostPainter]]:
    painters: list[HostPainter] = []
    settings = stand_in_for_a_gpu(monkeypatch, device, painters, "moderation,objects,labels,shots,faces")
    with Analyzer(settings) as analyzer:
        return analyzer.analyze(MEDIA / "demo.mp4", stop=stop), painters


@pytest.mark.weights
def test_an_analysis_finds_the_same_whether_batches_stay_on_the_device_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[int] = []
    count: Any = HostRows.on_host
    monkeypatch.setattr(HostRows, "on_host", lambda rows: fetched.append(len(rows)) or count(rows))
    on_cpu, given = analyze(monkeypatch, "cpu")
    assert given, "the stand-in decoded"
    there, painters = analyze(monkeypatch, "cuda")
    assert there.complete
    assert on_cpu.decode.backend == there.decode.backend == "nvdec"
    assert fetched == [], "only models saw the batches that stayed"
    for name, part in on_cpu.domains.items():
        other = there.domains[name]
        assert [model.device for model in other.models] == ["cuda"] * len(part.models)
        assert [(s.label, s.start_seconds, s.end_seconds) for s in part.segments] == [
            (s.label, s.start_seconds, s.end_seconds) for s in other.segments
        ]
        for one, two in zip(part.segments, other.segments, strict=True):
            assert one.peak_confidence == pytest.approx(two.peak_confidence, abs=0.002)
    gc.collect()
    assert not any(painter.given for painter in painters), "no memory of the device is kept when the report is there"


@pytest.mark.weights
def test_the_pipeline_section_of_gpu_check_compares_an_analysis_with_its_stages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = stand_in_for_a_gpu(monkeypatch, "cuda", [], "labels,shots")
    with Analyzer(settings) as analyzer:
        found = pipeline_rates(analyzer, MEDIA / "demo.mp4", at_once=2)
    assert found["backend"] == "nvdec"
    assert found["fallbacks"] == []
    slowest = max(found["stages_alone_seconds"].values())
    assert slowest > 0
    assert found["share_of_slowest_stage"] > 0
    assert found["video_hours_per_hour_at_once"] > 0


@pytest.mark.weights
def test_an_early_end_waits_for_what_is_under_way_and_lets_all_memory_go(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = iter([None] * 6)
    report, painters = analyze(monkeypatch, "cuda", lambda: next(asked, "the client has left"))
    assert [error.type for error in report.errors] == ["Stopped"]
    assert 0 < report.decode.analyzed_seconds < 15
    gc.collect()
    assert not any(painter.given for painter in painters)
    assert not [
        thread.name for thread in threading.enumerate() if thread.name.startswith(("batch", "reelwarden-ahead"))
    ]
