"""The images: each domain has one, and what they install is the locked packages, each in one place."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from images.build import labels, revision, weights_of
from images.catalog import Image, images
from model_zoo.domains import DOMAINS
from tests.conftest import ROOT

SETS = ("vision", "speech", "all")
FLAVORS = ("cpu", "gpu")


@cache
def locked(group: str) -> frozenset[str]:
    """Return the names of the packages that an image with these packages installs."""
    environment = {**os.environ, "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"}
    lines = subprocess.run(
        [ROOT / "images/steps/list_packages", group],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return frozenset(line.split("==")[0] for line in lines if re.match(r"[a-z0-9]", line))


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def named(requirements: list[Any]) -> set[str]:
    return {re.split(r"[ <>=!~;\[]", item)[0] for item in requirements if isinstance(item, str)}


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.name)
def test_every_domain_has_an_image_that_serves_it(domain: Any) -> None:
    own = next((image for image in images() if image.name == domain.name), None)
    assert own, f"images/{domain.name}/Dockerfile is missing"
    assert domain.name in own.domains


def test_the_groups_of_the_images_are_the_dependencies_of_the_project() -> None:
    groups = project()["dependency-groups"]
    shipped = named([*groups["image"], *groups["shots"], *groups["speech"], *groups["all-cpu"], *groups["vision-cpu"]])
    assert shipped - {"boto3"} == named(project()["project"]["dependencies"]) - {"pip"}


@pytest.mark.parametrize("packages", SETS)
@pytest.mark.parametrize("flavor", FLAVORS)
def test_there_is_one_onnx_runtime_and_nothing_that_trains_or_installs(packages: str, flavor: str) -> None:
    names = locked(f"{packages}-{flavor}")
    runtimes = names & {"onnxruntime", "onnxruntime-gpu"}
    assert runtimes == ({"onnxruntime-gpu"} if flavor == "gpu" and packages != "speech" else {"onnxruntime"})
    assert not names & {"torch", "pip", "uv", "setuptools", "tensorflow"}


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_set_leaves_out_what_only_the_other_needs(flavor: str) -> None:
    assert not {name for name in locked(f"vision-{flavor}") if name in {"ctranslate2", "faster-whisper", "tokenizers"}}
    assert not {name for name in locked(f"speech-{flavor}") if name.startswith(("opencv", "scenedetect"))}


def test_gpu_images_have_one_cuda_and_cpu_images_none() -> None:
    cuda = re.compile(r"nvidia-|cupy|pynvvideocodec")
    for packages in SETS:
        assert not [name for name in locked(f"{packages}-cpu") if cuda.match(name)]
        assert all(name.endswith("-cu12") for name in locked(f"{packages}-gpu") if name.startswith("nvidia-"))
    assert [name for name in locked("speech-gpu") if cuda.match(name)] == ["nvidia-cublas-cu12"]


@pytest.mark.parametrize("image", images(), ids=lambda image: image.name)
def test_an_image_names_the_licences_of_code_weights_and_pyav_and_of_cuda_where_it_has_it(image: Image) -> None:
    specs = weights_of(image)
    open_ones = {"Apache-2.0", "GPL-3.0-or-later", *(spec.licence.weights for spec in specs)}  # the second: in PyAV
    assert set(labels(image, "cpu", specs)["licenses"].split(" AND ")) == open_ones
    assert set(labels(image, "gpu", specs)["licenses"].split(" AND ")) == open_ones | {"LicenseRef-NVIDIA-Proprietary"}


@pytest.mark.parametrize("image", images(), ids=lambda image: image.name)
def test_the_packages_of_an_image_fit_its_domains(image: Image) -> None:
    needs_speech = "transcription" in image.domains
    needs_shots = "shots" in image.domains
    names = locked(f"{image.packages}-cpu")
    assert ("faster-whisper" in names) >= needs_speech
    assert ("scenedetect-headless" in names) >= needs_shots


def test_an_image_can_be_built_where_there_is_no_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision() == "unknown"
