"""Engines are kept and found again: only what fits is used, one process builds, and nothing half-built counts."""

from __future__ import annotations

import multiprocessing
import os
import re
import time
from pathlib import Path

import pytest

from model_zoo.engines.keep import FACTS, PLAN, Fit, ensure, find, why_none
from model_zoo.errors import WeightsError
from model_zoo.weights import WeightPlaces

FIT = Fit(
    model="opennsfw",
    model_sha256="a" * 64,
    precision="fp16",
    content_sha256="b" * 64,
    shapes="1x224x224x3:8x224x224x3:32x224x224x3",
    gpu="Tesla T4 (sm 75)",
    library="tensorrt 10.16.1.11",
)


@pytest.fixture
def places(tmp_path: Path) -> WeightPlaces:
    return WeightPlaces(tmp_path / "model", tmp_path / "cache", shipped=tmp_path / "shipped")


def write(folder: Path) -> float:
    (folder / PLAN).write_bytes(b"an engine")
    return 12.5


def silent(_text: str) -> None:
    return


def test_an_engine_is_built_once_and_then_found(places: WeightPlaces) -> None:
    assert find(FIT, places) is None
    kept, made = ensure(FIT, places, write, silent)
    assert made
    again, made = ensure(FIT, places, lambda _folder: pytest.fail("built again"), silent)
    assert not made
    assert again == kept
    assert again.plan.read_bytes() == b"an engine"
    assert again.facts.build_seconds == 12.5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"gpu": "NVIDIA A10G (sm 86)"}, r"its gpu is Tesla T4 \(sm 75\), here it is NVIDIA A10G \(sm 86\)"),
        ({"library": "tensorrt 11.4.0"}, r"its library is tensorrt 10\.16\.1\.11, here it is tensorrt 11\.4\.0"),
        ({"model_sha256": "c" * 64}, "its model sha256 is aaaaaaaaaaaa, here it is cccccccccccc"),
        ({"content_sha256": "d" * 64}, "its content sha256 is bbbbbbbbbbbb, here it is dddddddddddd"),
        ({"precision": "int8"}, "its precision is fp16, here it is int8"),
        ({"shapes": "1x8:1x8:1x8"}, "its shapes is"),
    ],
)
def test_an_engine_that_does_not_fit_is_refused_and_the_reason_is_said(
    places: WeightPlaces, change: dict[str, str], reason: str
) -> None:
    ensure(FIT, places, write, silent)
    other = FIT.model_copy(update=change)
    assert find(other, places) is None
    assert re.search(f"does not fit: {reason}", why_none(other, places))


def test_without_any_engine_that_is_said(places: WeightPlaces) -> None:
    assert why_none(FIT, places) == "no engine was built for it yet"


def test_engines_laid_beside_weights_are_found_and_never_written(places: WeightPlaces) -> None:
    elsewhere = WeightPlaces(places.model_dir, places.model_dir)
    ensure(FIT, elsewhere, write, silent)
    kept = find(FIT, places)
    assert kept
    assert kept.folder.is_relative_to(places.model_dir)
    assert not places.cache.exists()


def test_a_build_that_fails_or_is_killed_leaves_nothing_that_is_used(places: WeightPlaces) -> None:
    def fail(folder: Path) -> float:
        write(folder)
        raise WeightsError("TensorRT cannot build it")

    with pytest.raises(WeightsError, match="cannot build it"):
        ensure(FIT, places, fail, silent)
    assert find(FIT, places) is None

    process = multiprocessing.get_context("spawn").Process(target=_build_and_die, args=(places,))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert (places.cache / "engines" / FIT.folder / PLAN).exists()
    assert find(FIT, places) is None
    kept, made = ensure(FIT, places, write, silent)
    assert made
    assert kept.plan.read_bytes() == b"an engine"


def _build_and_die(places: WeightPlaces) -> None:
    def make(folder: Path) -> float:
        (folder / PLAN).write_bytes(b"half an eng")
        os._exit(9)

    ensure(FIT, places, make, silent)


@pytest.mark.parametrize("damage", [PLAN, FACTS])
def test_a_damaged_engine_is_built_again(places: WeightPlaces, damage: str) -> None:
    kept, _ = ensure(FIT, places, write, silent)
    (kept.folder / damage).write_bytes(b"{}")
    assert find(FIT, places) is None
    _, made = ensure(FIT, places, write, silent)
    assert made
    assert find(FIT, places)


def test_of_several_processes_one_builds_and_the_others_wait_and_say_so(places: WeightPlaces, tmp_path: Path) -> None:
    log = tmp_path / "log"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_build_slowly, args=(places, log)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    lines = log.read_text().splitlines()
    assert lines.count("built") == 1
    assert any("opennsfw: waiting for another process that builds its engine" in line for line in lines)


def _build_slowly(places: WeightPlaces, log: Path) -> None:
    def told(text: str) -> None:
        with log.open("a") as file:
            file.write(f"{text}\n")

    def make(folder: Path) -> float:
        told("built")
        while "waiting" not in log.read_text():  # until somebody waits, so that this depends on no clock
            time.sleep(0.05)
        return write(folder)

    ensure(FIT, places, make, told)


def test_a_cache_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(WeightsError, match="opennsfw: no engine is built, as the cache cannot be written to"):
        ensure(FIT, WeightPlaces(tmp_path / "model", tmp_path / "cache"), write, silent)
