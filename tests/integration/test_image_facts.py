"""What every image is, as Docker tells it: the points of the contract that need no running server."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from images.build import NVIDIA_LICENCE
from images.catalog import Image, images
from images.wheel_libraries import table
from model_zoo.catalog import catalog
from model_zoo.licences import PERMISSIVE
from serve.version import VERSION
from tests.conftest import ROOT
from tests.image_runs import FLAVOR, name_of, run

pytestmark = pytest.mark.docker
each_image = pytest.mark.parametrize("image", images(), ids=lambda image: image.name)

MOST_BYTES = {
    "cpu": {"vision": 800e6, "speech": 800e6, "all": 1.5e9},
    "gpu": {"vision": 4e9, "speech": 1.5e9, "all": 4.5e9},
}


@cache
def facts(image: Image) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("docker", "image", "inspect", name_of(image)).stdout)[0]
    return found


@cache
def files(image: Image) -> str:
    command = "find / -xdev -type f -o -type l; env"
    return run("docker", "run", "--rm", "--network=none", "--entrypoint=sh", name_of(image), "-c", command).stdout


@each_image
def test_c01_c02_the_entrypoint_is_the_command_itself_without_an_init(image: Image) -> None:
    config = facts(image)["Config"]
    assert config["Entrypoint"] == ["reelwarden"]
    assert config["Cmd"] == ["serve"]
    assert list(config["ExposedPorts"]) == ["8080/tcp"]


@each_image
def test_c03_nothing_lies_under_opt_ml(image: Image) -> None:
    assert "/opt/ml" not in files(image)


@each_image
def test_c37_labels_tell_sagemaker_and_people_what_it_is(image: Image) -> None:
    labels = facts(image)["Config"]["Labels"]
    assert labels["com.amazonaws.sagemaker.capabilities.accept-bind-to-port"] == "true"
    assert labels["org.opencontainers.image.version"] == VERSION
    assert len(labels["org.opencontainers.image.revision"].removesuffix("-dirty")) == 40
    licences = set(labels["org.opencontainers.image.licenses"].split(" AND "))
    assert "Apache-2.0" in licences
    pyav = {wheel["as_a_whole"] for wheel in table()["wheels"].values()}
    assert licences - PERMISSIVE == pyav | ({NVIDIA_LICENCE} if FLAVOR == "gpu" else set())


@each_image
def test_nothing_inside_compiles_trains_or_installs_and_no_cache_is_left(image: Image) -> None:
    names = {line.rsplit("/", 1)[-1] for line in files(image).splitlines()}
    assert not names & {"gcc", "cc", "g++", "ld", "make", "pip", "pip3", "uv", "conda", "nvcc"}
    assert "/site-packages/torch/" not in files(image)
    assert "/var/lib/apt/lists/" not in files(image)
    left = ("/root/.cache", "/tmp/", "/var/cache/")  # noqa: S108 - nothing is written there
    assert not [line for line in files(image).splitlines() if line.startswith(left)]


@each_image
def test_the_certificates_and_settings_of_the_builder_stay_with_the_builder(image: Image) -> None:
    assert "/network/" not in files(image)
    assert "ca-certificates.crt" not in files(image)
    assert "SSL_CERT_FILE" not in files(image)


@each_image
def test_a_set_of_packages_is_all_there_is(image: Image) -> None:
    assert ("/ctranslate2/" in files(image)) == (image.packages in {"speech", "all"})
    assert ("/cv2/" in files(image)) == (image.packages in {"vision", "all"})


@each_image
def test_the_weights_of_the_defaults_are_inside_and_no_others(image: Image) -> None:
    wanted = {spec.file_name for spec in catalog() if spec.default and spec.domain in image.domains}
    paths = [line for line in files(image).splitlines() if line.startswith("/opt/reelwarden/weights/")]
    models = {spec.name for spec in catalog() if spec.default and spec.domain in image.domains}
    assert wanted <= {path.rsplit("/", 1)[1] for path in paths}
    assert models == {path.split("/")[4] for path in paths} - {"MANIFEST.json"}
    assert not [line for line in files(image).splitlines() if "/code/" in line and line.endswith(".onnx")]


@each_image
def test_an_image_is_no_larger_than_it_may_be(image: Image) -> None:
    assert facts(image)["Size"] <= MOST_BYTES[FLAVOR][image.packages]


@each_image
def test_the_list_of_what_is_inside_is_inside_and_names_packages_system_and_weights(image: Image) -> None:
    place = facts(image)["Config"]["Labels"]["io.reelwarden.sbom"]
    text = run("docker", "run", "--rm", "--network=none", "--entrypoint=cat", name_of(image), place).stdout
    assert text == (ROOT / "out" / "images" / image.name / f"sbom-{FLAVOR}.cdx.json").read_text("utf-8")
    sbom = json.loads(text)
    names = {component["name"] for component in sbom["components"]}
    weights = {part["name"] for part in sbom["components"] if part["type"] == "machine-learning-model"}
    assert sbom["bomFormat"] == "CycloneDX"
    assert {"numpy", "fastapi", "av", "libc6"} <= names
    assert weights == {spec.name for spec in catalog() if spec.default and spec.domain in image.domains}


@each_image
def test_the_list_of_what_is_inside_names_the_libraries_inside_of_wheels(image: Image) -> None:
    place = facts(image)["Config"]["Labels"]["io.reelwarden.sbom"]
    text = run("docker", "run", "--rm", "--network=none", "--entrypoint=cat", name_of(image), place).stdout
    wheels = [part for part in json.loads(text)["components"] if part.get("purl", "").startswith("pkg:pypi/")]
    listed = {prop["value"] for wheel in wheels for part in wheel.get("components", ()) for prop in part["properties"]}
    there = {line.rpartition("/site-packages/")[2] for line in files(image).splitlines() if ".libs/" in line}
    assert listed == there
    (pyav,) = (wheel for wheel in wheels if wheel["name"] == "av")
    assert {"libx264", "libx265"} <= {part["name"] for part in pyav["components"]}
    assert pyav["licenses"] == [{"expression": "BSD-3-Clause AND GPL-3.0-or-later", "acknowledgement": "concluded"}]
