"""`docker compose up` starts every image, and none of them may do more than it needs."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from images.catalog import images
from tests.conftest import ROOT

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]


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
