"""What SageMaker is asked for is what its API takes, and GPUs come with a driver that CUDA 12 runs on."""

from __future__ import annotations

from typing import Any, Literal

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator

from deploy.sagemaker.requests import Deployment, requests, service_of
from serve.drivers import (
    DEFAULT_DRIVER,
    INFERENCE_AMI,
    INFERENCE_DRIVER,
    LEAST_DRIVER,
    TRANSFORM_AMI,
    TRANSFORM_DRIVER,
)
from serve.settings import load_settings

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
