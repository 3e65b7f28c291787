"""Amazon ECR: one repository for each image, made where it is missing, and a login for Docker."""

from __future__ import annotations

import base64
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from model_zoo.errors import UsageError
from model_zoo.sources.s3 import region_said


@dataclass(frozen=True, slots=True)
class Login:
    """Who Docker is at a registry."""

    registry: str  # host, with the port where it is not 443
    user: str
    password: str = field(repr=False)


def prepare(repositories: Sequence[str], region: str | None = None) -> Login:
    """Make the repositories that are missing and return a login; credentials are found as boto3 finds them.

    Raises UsageError without boto3, which nothing else here needs, and where AWS cannot be asked or refuses.
    """
    try:
        import boto3
        from botocore import exceptions
    except ImportError as error:
        install = f"{sys.executable} -m pip install boto3"
        raise UsageError(f"Amazon ECR needs boto3; install it with `{install}`, or name --registry") from error
    try:
        return _login(boto3.client("ecr", region_name=region or region_said()), repositories)
    except (exceptions.BotoCoreError, exceptions.ClientError) as error:  # no credentials, no region, no right
        why = str(error).rstrip(".")
        raise UsageError(f"Amazon ECR: {why}; see --region, and AWS_PROFILE or AWS_ACCESS_KEY_ID") from error


def _login(ecr: Any, repositories: Sequence[str]) -> Login:
    """Make what is missing: tags cannot be moved to another image later, and pushed images are scanned."""
    for name in repositories:
        try:
            ecr.create_repository(
                repositoryName=name,
                imageTagMutability="IMMUTABLE",
                imageScanningConfiguration={"scanOnPush": True},
            )
        except ecr.exceptions.RepositoryAlreadyExistsException:
            continue
    answer = ecr.get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(answer["authorizationToken"]).decode().partition(":")
    return Login(answer["proxyEndpoint"].removeprefix("https://"), user, password)
