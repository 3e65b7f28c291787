"""What SageMaker is asked for is what its API takes, and GPUs come with a driver that CUDA 12 runs on."""

from __future__ import annotations

from typing import Any, Literal

import botocore.session
import pytest
from botocore.model import ListShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from deploy.sagemaker.requests import Deployment, requests

OPERATIONS = ("CreateModel", "CreateEndpointConfig", "CreateEndpoint", "CreateTransformJob", "CreateProcessingJob")
URI = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/reelwarden-all@sha256:" + "0" * 64


def deployment(flavor: Literal["cpu", "gpu"]) -> Deployment:
    role = "arn:aws:iam::111122223333:role/reelwarden"
    return Deployment("reelwarden-all", URI, flavor, role, "my-videos", "s3://my-videos/model.tar.gz")


@pytest.fixture(scope="module")
def api() -> ServiceModel:
    return botocore.session.get_session().get_service_model("sagemaker")


@pytest.mark.parametrize("flavor", ["cpu", "gpu"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_request_is_what_the_api_takes(operation: str, flavor: Literal["cpu", "gpu"], api: ServiceModel) -> None:
    request = requests(deployment(flavor))[operation]
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
    wanted = {"al2023-ami-sagemaker-inference-gpu-4-1", "al2-ami-sagemaker-batch-gpu-535"}
    assert pins == (wanted if flavor == "gpu" else {None})


def test_batch_requests_stay_within_what_a_transform_job_may_have_in_flight() -> None:
    job = requests(deployment("cpu"))["CreateTransformJob"]
    assert job["MaxConcurrentTransforms"] * job["MaxPayloadInMB"] <= 100


def unknown_values(value: Any, shape: Shape, path: str) -> Any:
    """Yield what ParamValidator does not look at: values that an enumeration does not have, lengths and ranges."""
    if isinstance(shape, StructureShape):
        for key, part in value.items():
            yield from unknown_values(part, shape.members[key], f"{path}.{key}")
    elif isinstance(shape, ListShape):
        for part in value:
            yield from unknown_values(part, shape.member, path)
    elif getattr(shape, "enum", None):
        if value not in shape.enum:
            yield path, value
    elif isinstance(value, int) and not isinstance(value, bool):
        limits = shape.metadata
        if not limits.get("min", value) <= value <= limits.get("max", value):
            yield path, value
    elif isinstance(value, str) and len(value) > shape.metadata.get("max", len(value)):
        yield path, value
