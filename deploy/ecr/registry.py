"""Amazon ECR: one repository for each image, made where it is missing, and a login for Docker."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

import boto3

from model_zoo.sources.s3 import region_said


@dataclass(frozen=True, slots=True)
class Login:
    """Who Docker is at a registry."""

    registry: str  # host, with the port where it is not 443
    user: str
    password: str = field(repr=False)


def prepare(repositories: Sequence[str], region: str | None = None) -> Login:
    """Make the repositories that are missing and return a login; credentials are found as boto3 finds them.

    Tags cannot be moved to another image later, and images are scanned when they are pushed.
    """
    ecr = boto3.client("ecr", region_name=region or region_said())
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
