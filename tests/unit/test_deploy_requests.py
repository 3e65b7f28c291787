"""What SageMaker is asked for is what its API takes, and GPUs come with a driver that CUDA 12 runs on."""

from __future__ import annotations

import re
from typing import Any, Literal

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator

from deploy.ecr.__main__ import dashed
from deploy.sagemaker.requests import Deployment, job_name_of, requests, service_of
from images.catalog import images
from serve.drivers import (
    DEFAULT_DRIVER,
    INFERENCE_AMI,
    INFERENCE_DRIVER,
    LEAST_DRIVER,
    TRANSFORM_AMI,
    TRANSFORM_DRIVER,
)
from serve.settings import load_settings
from tests.conftest import ROOT

OPERATIONS = (
    "CreateModel",
    "CreateEndpointConfig",
    "CreateEndpoint",
    "InvokeEndpointAsync",
    "CreateTransformJob",
    "CreateProcessingJob",
)
URI = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/reelwarden-all@sha256:" + "0" * 64


def deployment(flavor: Literal["cpu", "gpu"]) -> Deployment:
    role = "arn:aws:iam::111122223333:role/reelwarden"
    return Deployment("reelwarden-all", URI, flavor, role, "my-videos", "s3://my-videos/model.tar.gz")


def deadline_seconds(environment: dict[str, str]) -> float:
    """Return what a server makes of the variables of its container."""
    given = {name.removeprefix("REELWARDEN_").lower(): value for name, value in environment.items()}
    assert set(given) == {"deadline_seconds"}
    return load_settings(**given).deadline_seconds or 60.0


def test_every_request_that_is_written_is_checked_here() -> None:
    assert set(requests(deployment("cpu"))) == set(OPERATIONS)


@pytest.mark.parametrize("flavor", ["cpu", "gpu"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_request_is_what_the_api_takes(operation: str, flavor: Literal["cpu", "gpu"]) -> None:
    request = requests(deployment(flavor))[operation]
    api = botocore.session.get_session().get_service_model(service_of(operation))
    shape = api.operation_model(operation).input_shape
    assert not ParamValidator().validate(request, shape).generate_report()
    assert not list(unknown_values(request, shape, operation))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", [f"{image.repository}-{flavor}" for image in images() for flavor in ("cpu", "gpu")])
def test_the_names_are_such_as_the_api_takes_with_a_time_behind_those_of_jobs(operation: str, name: str) -> None:
    request = requests(Deployment(name, URI, "cpu", "role", "bucket"))[operation]
    api = botocore.session.get_session().get_service_model(service_of(operation))
    shape = api.operation_model(operation).input_shape
    names = [(field, value) for field, value in request.items() if field.endswith("Name")]
    assert names
    for field, value in names:
        longest = f"{value}-20261130-191500" if field == job_name_of(operation) else value
        rules = shape.members[field].metadata
        assert re.fullmatch(rules["pattern"], longest)
        assert len(longest) <= rules["max"]


def test_another_image_or_other_weights_have_a_model_of_another_name_and_the_same_have_the_same() -> None:
    other = URI.replace("0", "1")
    pairs = [(URI, None), (other, None), (URI, "s3://b/1.tar.gz"), (URI, "s3://b/2.tar.gz"), (URI, None)]
    made = [requests(Deployment("a", uri, "cpu", "role", "bucket", data)) for uri, data in pairs]
    names = [request["CreateModel"]["ModelName"] for request in made]
    assert len(set(names)) == 4
    assert names[0] == names[-1]
    for request, name in zip(made, names, strict=True):
        (variant,) = request["CreateEndpointConfig"]["ProductionVariants"]
        assert {variant["ModelName"], request["CreateTransformJob"]["ModelName"]} == {name}
        assert request["CreateEndpoint"]["EndpointConfigName"] == request["CreateEndpointConfig"]["EndpointConfigName"]
        assert request["CreateEndpoint"]["EndpointName"] == request["InvokeEndpointAsync"]["EndpointName"] == "a"


def test_an_endpoint_is_updated_with_the_request_that_made_it() -> None:
    shape = botocore.session.get_session().get_service_model("sagemaker").operation_model("UpdateEndpoint").input_shape
    assert not ParamValidator().validate(requests(deployment("cpu"))["CreateEndpoint"], shape).generate_report()


def test_the_page_on_shipping_shows_commands_that_aws_has() -> None:
    page = (ROOT / "docs" / "shipping.md").read_text("utf-8")
    session = botocore.session.get_session()
    api, waiters = session.get_service_model("sagemaker"), session.create_client("sagemaker", "eu-west-1").waiter_names
    known = {dashed(name) for name in api.operation_names} | {f"wait {name.replace('_', '-')}" for name in waiters}
    said = set(re.findall(r"aws sagemaker (wait [a-z-]+|[a-z-]+)", page))
    assert {"create-transform-job", "update-endpoint"} <= said
    assert said <= known


@pytest.mark.parametrize("flavor", ["cpu", "gpu"])
def test_gpu_hosts_get_a_driver_for_cuda_12_and_cpu_hosts_none(flavor: Literal["cpu", "gpu"]) -> None:
    made = requests(deployment(flavor))
    (variant,) = made["CreateEndpointConfig"]["ProductionVariants"]
    pins = {
        variant.get("InferenceAmiVersion"),
        made["CreateTransformJob"]["TransformResources"].get("TransformAmiVersion"),
    }
    assert pins == ({INFERENCE_AMI, TRANSFORM_AMI} if flavor == "gpu" else {None})
    assert min(INFERENCE_DRIVER, TRANSFORM_DRIVER) >= LEAST_DRIVER > DEFAULT_DRIVER


def test_batch_requests_stay_within_what_a_transform_job_may_have_in_flight() -> None:
    job = requests(deployment("cpu"))["CreateTransformJob"]
    assert job["MaxConcurrentTransforms"] * job["MaxPayloadInMB"] <= 100


def test_a_video_has_as_long_in_the_container_as_its_caller_waits_for_it() -> None:
    made = requests(deployment("cpu"))
    longest_seconds = 3600  # of either
    waits_seconds = {
        "CreateModel": made["InvokeEndpointAsync"]["InvocationTimeoutSeconds"],
        "CreateTransformJob": made["CreateTransformJob"]["ModelClientConfig"]["InvocationsTimeoutInSeconds"],
    }
    has_seconds = {
        "CreateModel": deadline_seconds(made["CreateModel"]["PrimaryContainer"]["Environment"]),
        "CreateTransformJob": deadline_seconds(made["CreateTransformJob"]["Environment"]),
    }
    assert has_seconds == waits_seconds == dict.fromkeys(has_seconds, longest_seconds)


def unknown_values(value: Any, shape: Shape, path: str) -> Any:
    """Yield what ParamValidator does not look at: values that an enumeration does not have, lengths and ranges."""
    if isinstance(shape, StructureShape | MapShape | ListShape):
        for part, part_shape, part_path in parts(value, shape, path):
            yield from unknown_values(part, part_shape, part_path)
    elif getattr(shape, "enum", None):
        if value not in shape.enum:
            yield path, value
    elif isinstance(value, int) and not isinstance(value, bool):
        limits = shape.metadata
        if not limits.get("min", value) <= value <= limits.get("max", value):
            yield path, value
    elif isinstance(value, str) and len(value) > shape.metadata.get("max", len(value)):
        yield path, value


def parts(value: Any, shape: Shape, path: str) -> Any:
    """Yield what a value is made of, with the shape and the path of each."""
    if isinstance(shape, StructureShape):
        for key, part in value.items():
            yield part, shape.members[key], f"{path}.{key}"
    elif isinstance(shape, MapShape):
        for key, part in value.items():
            yield key, shape.key, path
            yield part, shape.value, f"{path}.{key}"
    else:
        for part in value:
            yield part, shape.member, path
