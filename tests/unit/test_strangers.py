"""A variable that looks like a setting and is none is named, with the nearest there is."""

from __future__ import annotations

import logging
import re

import pytest

from serve.doctor import examine
from serve.process.settings import load_job_settings
from serve.settings import load_settings
from serve.strangers import known_variables, unknown_variables, warn_of_unknown_variables
from tests.conftest import ROOT

PLACES = ("images", "deploy", "docker-compose.yml", "Dockerfile.base", "docs", "tests/conftest.py")
VARIABLE = r"REELWARDEN_[A-Z_]*[A-Z]"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("REELWARDEN_INTERVAL_SECOND", "REELWARDEN_INTERVAL_SECONDS"),
        ("REELWARDEN_DOMAIN", "REELWARDEN_DOMAINS"),
        ("reelwarden_domain", "REELWARDEN_DOMAINS"),
        ("REELWARDEN_PROCESS_MAX_FAILURE", "REELWARDEN_PROCESS_MAX_FAILURES"),
        ("REELWARDEN_QXZ", ""),
    ],
)
def test_a_misspelt_variable_has_the_nearest_setting(name: str, near: str) -> None:
    assert unknown_variables({name: "labels"}) == {name: near}


@pytest.mark.parametrize(
    "name",
    [
        "REELWARDEN_DOMAINS",
        "reelwarden_domains",
        "REELWARDEN_PROCESS_INPUT",
        "REELWARDEN_TEST_MEDIA",
        "REELWARDEN_SERVICE_HOST",
        "REELWARDEN_LABELS_PORT_8080_TCP_ADDR",
        "DOMAINS",
    ],
)
def test_what_means_something_is_not_named(name: str) -> None:
    assert unknown_variables({name: "x"}) == {}


@pytest.mark.parametrize("name", PLACES)
def test_every_variable_that_the_project_speaks_of_is_known(name: str) -> None:
    place = ROOT / name
    files = (
        [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    )
    spoken = {found for path in files for found in re.findall(VARIABLE, path.read_text("utf-8", "ignore"))}
    stands_for_any = {"REELWARDEN_NAME", "REELWARDEN_PROCESS_NAME"}
    assert spoken - stands_for_any - set(known_variables()) == set()


def test_a_misspelt_variable_is_warned_of_and_its_value_is_not_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("REELWARDEN_DOMAIN", "secret")
    with caplog.at_level(logging.WARNING):
        warn_of_unknown_variables()
    assert "no setting is called REELWARDEN_DOMAIN (did you mean REELWARDEN_DOMAINS?); it is ignored" in caplog.messages
    assert "secret" not in caplog.text


def test_the_doctor_names_a_misspelt_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWARDEN_DOMAIN", "labels")
    checks = {check.name: check for check in examine(load_settings(domains="shots"), thorough=False)}
    assert checks["settings"].status == "hinders"
    assert "REELWARDEN_DOMAIN (did you mean REELWARDEN_DOMAINS?)" in checks["settings"].says


def test_a_wrong_setting_names_an_option_only_where_the_command_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWARDEN_MAX_BYTES", "-1")
    with pytest.raises(Exception, match=r"; set it by REELWARDEN_MAX_BYTES$"):
        load_settings(domains=None)
    with pytest.raises(Exception, match=r"; set it by --in-flight or REELWARDEN_PROCESS_IN_FLIGHT$"):
        load_job_settings(in_flight=0)
