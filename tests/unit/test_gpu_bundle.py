"""The bundle for a GPU machine without a network: one GPU's code is kept, and parts are small enough."""

from __future__ import annotations

import os
import random
import re
import struct
import subprocess
import sys
import tarfile
import zipfile
from importlib import invalidate_caches
from importlib.metadata import distributions
from pathlib import Path

import pytest

from benchmarks.gpu_here import CONTRACTS
from export.__main__ import find_spec, weights_of
from model_zoo.weights import WeightPlaces, ensure
from serve.version import VERSION
from tests.archives import unpack
from tests.conftest import ROOT
from tools.cuda_folders import folders
from tools.gpu_bundle import FAT_BINARY, copy_weights, keep_machine_code, locked, pack, parts, write_own_metadata
from tools.gpu_bundle import unpack as lay_out

PTX, CODE = 1, 2


def fat_binary(*entries: tuple[int, int, bytes]) -> bytes:
    body = b"".join(
        struct.pack("<HHIQ", kind, 0x101, 64, len(code)) + bytes(12) + struct.pack("<I", sm) + bytes(32) + code
        for kind, sm, code in entries
    )
    return FAT_BINARY + struct.pack("<HHQ", 1, 16, len(body)) + body


def test_only_the_machine_code_of_one_gpu_is_kept_and_nothing_moves() -> None:
    library = b"before" + fat_binary((CODE, 75, b"A" * 40), (CODE, 90, b"B" * 40), (PTX, 90, b"C" * 40)) + b"after"
    trimmed = keep_machine_code(library, 90)
    assert len(trimmed) == len(library)
    assert trimmed == library.replace(b"A" * 40, bytes(40)).replace(b"C" * 40, bytes(40))


def test_every_fat_binary_of_a_library_is_trimmed_and_a_lone_magic_is_left() -> None:
    library = FAT_BINARY + b"\xff" * 20 + fat_binary((CODE, 75, b"A" * 8)) + fat_binary((CODE, 90, b"B" * 8))
    assert keep_machine_code(library, 90) == library.replace(b"A" * 8, bytes(8))


def test_parts_are_few_and_none_is_too_large() -> None:
    files = [(Path(str(number)), size) for number, size in enumerate((50, 30, 30, 20, 9, 1))]
    found = parts(files, 60)
    sizes = dict(files)
    assert sorted(path for part in found for path in part) == sorted(sizes)
    assert [sum(sizes[path] for path in part) for part in found] == [60, 60, 20]


def test_what_is_packed_comes_out_again(tmp_path: Path) -> None:
    made = random.Random(7)  # noqa: S311 - content that does not compress
    for number in range(6):
        path = tmp_path / "in" / "package" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.randbytes(20_000))
    written = pack(tmp_path / "in", tmp_path / "out", 50_000)
    assert len(written) == 3
    for part in written:
        assert part.stat().st_size < 50_000
        with tarfile.open(part) as archive:
            unpack(archive, tmp_path / "back")
    for path in (tmp_path / "in").rglob("*.bin"):
        assert (tmp_path / "back" / path.relative_to(tmp_path / "in")).read_bytes() == path.read_bytes()


def test_of_a_wheel_only_what_runs_is_laid_out(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    source = "pynvvideocodec-2.2.4.data/data/external/ffmpeg/src/ffmpeg.tar.xz"
    names = ("PyNvVideoCodec/libavutil.so", "PyNvVideoCodec/libavutil.so.61", "benchmarks/decoder.py", source)
    with zipfile.ZipFile(tmp_path / "wheels" / "pynvvideocodec-2.2.4-py3-none-any.whl", "w") as wheel:
        for name in names:
            wheel.writestr(name, "content")
        wheel.writestr("PyNvVideoCodec/kernels.so", fat_binary((CODE, 75, b"A" * 8), (CODE, 90, b"B" * 8)))
    lay_out(tmp_path / "wheels", tmp_path / "out", 90)
    found = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"PyNvVideoCodec/libavutil.so.61", "PyNvVideoCodec/kernels.so"}
    assert b"A" * 8 not in (tmp_path / "out/PyNvVideoCodec/kernels.so").read_bytes()


def test_a_checkout_without_an_installed_project_knows_its_version(tmp_path: Path) -> None:
    write_own_metadata(tmp_path)
    (found,) = distributions(name="reelwarden", path=[str(tmp_path)])
    assert found.version == VERSION


COLLECT = """
import importlib.abc, importlib.metadata, sys
from importlib.metadata import packages_distributions

carried = set(sys.argv[1].split(","))

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in refused:
            raise ModuleNotFoundError(f"{name} is not carried", name=name)
        return None

named = {name: {one.lower().replace("_", "-") for one in by} for name, by in packages_distributions().items()}
refused = {name for name, by in named.items() if not by & carried}
sys.meta_path.insert(0, Refuse())
import pytest
sys.exit(pytest.main(["-q", "--collect-only", "-p", "no:cacheprovider", "-m", "gpu", *sys.argv[2:]]))
"""


def test_the_contract_suites_import_nothing_that_is_not_carried() -> None:
    names = {line.split("==")[0] for line in locked().splitlines() if re.match("[a-z0-9]", line)}
    assert names >= {"pytest", "hypothesis", "sortedcontainers", "faster-whisper", "onnx"}
    assert not names & {"moto", "jsonschema", "ruff", "playwright"}
    command = [sys.executable, "-c", COLLECT, ",".join({*names, "reelwarden"}), *CONTRACTS]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_rows_on_device" in done.stdout


def test_nvidias_libraries_are_found_where_their_packages_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "nvidia", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert folders() == []
    for name in ("cu13", "cudnn"):
        (tmp_path / "nvidia" / name / "lib").mkdir(parents=True)
    invalidate_caches()
    assert folders() == [tmp_path / "nvidia/cu13/lib", tmp_path / "nvidia/cudnn/lib"]


@pytest.mark.weights
def test_weights_that_would_be_fetched_lie_where_a_cache_is_looked_for(tmp_path: Path) -> None:
    copy_weights(tmp_path)
    spec = find_spec("moderation/opennsfw")
    places = WeightPlaces(Path("/nowhere"), tmp_path / "cache" / "reelwarden", offline=True)
    assert ensure(spec, places).read_bytes() == weights_of(spec).read_bytes()
