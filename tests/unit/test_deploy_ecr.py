"""Repositories are made once, and Docker gets a login that is shown nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from deploy.ecr.registry import prepare
from model_zoo.errors import UsageError
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@mock_aws
def test_missing_repositories_are_made_and_those_that_exist_are_left() -> None:
    prepare(["reelwarden-all"], "eu-west-1")
    prepare(["reelwarden-all", "reelwarden-faces"], "eu-west-1")
    made = boto3.client("ecr", region_name="eu-west-1").describe_repositories()["repositories"]
    assert {repository["repositoryName"] for repository in made} == {"reelwarden-all", "reelwarden-faces"}
    assert {repository["imageTagMutability"] for repository in made} == {"IMMUTABLE"}
    assert all(repository["imageScanningConfiguration"]["scanOnPush"] for repository in made)


@mock_aws
def test_the_login_is_for_the_accounts_registry_and_does_not_show_its_password() -> None:
    login = prepare([], "eu-west-1")
    assert login.registry.endswith(".dkr.ecr.eu-west-1.amazonaws.com")
    assert login.user == "AWS"
    assert login.password
    assert login.password not in repr(login)


@mock_aws
@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_without_an_option_the_region_is_the_one_of_the_environment(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for other in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "eu-west-1")
    assert ".eu-west-1." in prepare([]).registry


def test_without_credentials_or_a_region_one_line_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(UsageError, match="specify a region; see --region"):
        prepare([])
    with pytest.raises(UsageError, match="credentials"):
        prepare(["reelwarden-all"], "eu-west-1")


@pytest.fixture
def without_boto3(tmp_path: Path) -> Path:
    """Return a folder on whose path boto3 cannot be imported, as after `make images`."""
    (tmp_path / "boto3.py").write_text("raise ModuleNotFoundError('boto3')", "utf-8")
    return tmp_path


def ship(without_boto3: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.ecr", *words],
        cwd=ROOT,
        env={"PYTHONPATH": str(without_boto3), "PATH": str(without_boto3)},  # no docker either
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_boto3_one_line_says_how_to_install_it(without_boto3: Path) -> None:
    done = ship(without_boto3, "shots")
    assert done.returncode == 2
    assert done.stderr == (
        f"Amazon ECR needs boto3; install it with `{sys.executable} -m pip install boto3`, or name --registry\n"
    )


def test_without_boto3_the_options_are_told_and_other_registries_are_pushed_to(without_boto3: Path) -> None:
    assert "--registry" in ship(without_boto3, "--help").stdout
    said = ship(without_boto3, "shots", "--registry", "localhost:5000").stderr
    assert "boto3" not in said
    assert "'docker'" in said  # it came as far as Docker
