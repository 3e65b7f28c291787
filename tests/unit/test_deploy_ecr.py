"""Repositories are made once, and Docker gets a login that is shown nowhere."""

from __future__ import annotations

import boto3
import pytest
from moto import mock_aws

from deploy.ecr.registry import prepare


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
