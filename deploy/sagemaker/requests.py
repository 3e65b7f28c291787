"""The requests that make SageMaker run an image: plain dicts for boto3, or as JSON for `aws sagemaker ...`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

from serve.drivers import INFERENCE_AMI, TRANSFORM_AMI

CPU_INSTANCE = "ml.c6i.xlarge"
GPU_INSTANCE = "ml.g5.xlarge"
MOST_REQUEST_MB = 100  # of a batch transform; larger videos go through asynchronous endpoints or processing jobs
_LETTERS = 12  # of a hash; the names of AWS have 63 at most, and those of jobs also need room for a time
ONE_HOUR_SECONDS = 3600  # the most that asynchronous endpoints and batch transforms wait for one answer
# the container cannot know how long its caller waits, and would answer after 60 s with what it has seen by then
DEADLINE = {"REELWARDEN_DEADLINE_SECONDS": str(ONE_HOUR_SECONDS)}


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the requests are about."""

    name: str  # of the endpoint, and what the names of the model and of jobs begin with
    image_uri: str
    flavor: Literal["cpu", "gpu"]
    role_arn: str
    bucket: str  # s3://BUCKET/input is read, s3://BUCKET/output written
    model_data_url: str | None = None  # a model.tar.gz; images that are not slim need none

    @property
    def instance_type(self) -> str:
        """Return a sensible first instance type."""
        return GPU_INSTANCE if self.flavor == "gpu" else CPU_INSTANCE

    @property
    def versioned_name(self) -> str:
        """Return a name that no other image or weights have, as a model cannot be changed once it is made."""
        made_of = f"{self.image_uri} {self.model_data_url or ''}"
        return f"{self.name}-{hashlib.sha256(made_of.encode()).hexdigest()[:_LETTERS]}"


def requests(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Return operation -> request; the names of the operations are the API's."""
    return {
        "CreateModel": _model(deployment),
        "CreateEndpointConfig": _endpoint_config(deployment),
        "CreateEndpoint": {"EndpointName": deployment.name, "EndpointConfigName": deployment.versioned_name},
        "InvokeEndpointAsync": _invocation(deployment),
        "CreateTransformJob": _transform_job(deployment),
        "CreateProcessingJob": _processing_job(deployment),
    }


def job_name_of(operation: str) -> str | None:
    """Return the field with the name of the job that an operation starts; each run of a job needs a name of its own."""
    return {"CreateTransformJob": "TransformJobName", "CreateProcessingJob": "ProcessingJobName"}.get(operation)


def service_of(operation: str) -> str:
    """Return the service that an operation belongs to, as boto3 and the command line of AWS call it."""
    return "sagemaker-runtime" if operation.startswith("Invoke") else "sagemaker"


def _model(deployment: Deployment) -> dict[str, Any]:
    container: dict[str, Any] = {"Image": deployment.image_uri, "Environment": {**DEADLINE}}
    if deployment.model_data_url:
        container["ModelDataUrl"] = deployment.model_data_url
    return {
        "ModelName": deployment.versioned_name,
        "PrimaryContainer": container,
        "ExecutionRoleArn": deployment.role_arn,
        "EnableNetworkIsolation": True,
    }


def _endpoint_config(deployment: Deployment) -> dict[str, Any]:
    variant: dict[str, Any] = {
        "VariantName": "all",
        "ModelName": deployment.versioned_name,
        "InstanceType": deployment.instance_type,
        "InitialInstanceCount": 1,
        "ContainerStartupHealthCheckTimeoutInSeconds": 300,
    }
    if deployment.flavor == "gpu":
        variant["InferenceAmiVersion"] = INFERENCE_AMI
    return {
        "EndpointConfigName": deployment.versioned_name,
        "ProductionVariants": [variant],
        # video takes longer than the 60 s of a real-time endpoint; for short clips and pictures leave this out, and
        # the model's DEADLINE with it
        "AsyncInferenceConfig": {
            "OutputConfig": {
                "S3OutputPath": f"s3://{deployment.bucket}/output",
                "S3FailurePath": f"s3://{deployment.bucket}/failed",
            },
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 1},
        },
    }


def _invocation(deployment: Deployment) -> dict[str, Any]:
    return {
        "EndpointName": deployment.name,
        "InputLocation": f"s3://{deployment.bucket}/input/clip.mp4",
        "ContentType": "video/mp4",
        "Accept": "application/json",
        "InvocationTimeoutSeconds": ONE_HOUR_SECONDS,  # 900 unless it is said
    }


def _transform_job(deployment: Deployment) -> dict[str, Any]:
    resources: dict[str, Any] = {"InstanceType": deployment.instance_type, "InstanceCount": 1}
    if deployment.flavor == "gpu":
        resources["TransformAmiVersion"] = TRANSFORM_AMI
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{deployment.bucket}/input"}
    return {
        "TransformJobName": deployment.versioned_name,
        "ModelName": deployment.versioned_name,
        "MaxConcurrentTransforms": 1,
        "MaxPayloadInMB": MOST_REQUEST_MB,
        "BatchStrategy": "SingleRecord",
        "Environment": {**DEADLINE},
        "ModelClientConfig": {"InvocationsTimeoutInSeconds": ONE_HOUR_SECONDS, "InvocationsMaxRetries": 1},
        "TransformInput": {"DataSource": {"S3DataSource": source}, "ContentType": "video/mp4", "SplitType": "None"},
        "TransformOutput": {"S3OutputPath": f"s3://{deployment.bucket}/output", "Accept": "application/json"},
        "TransformResources": resources,
    }


def _processing_job(deployment: Deployment) -> dict[str, Any]:
    places = {
        "input": {
            "S3Uri": f"s3://{deployment.bucket}/input",
            "LocalPath": "/opt/ml/processing/input",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3DataDistributionType": "ShardedByS3Key",
        },
        "output": {
            "S3Uri": f"s3://{deployment.bucket}/output",
            "LocalPath": "/opt/ml/processing/output",
            "S3UploadMode": "EndOfJob",  # half-written files lie beside the answers, hidden: docs/process.md
        },
    }
    return {
        "ProcessingJobName": deployment.versioned_name,
        "AppSpecification": {
            "ImageUri": deployment.image_uri,
            "ContainerEntrypoint": ["reelwarden", "process"],
        },
        "RoleArn": deployment.role_arn,
        "ProcessingInputs": [{"InputName": "media", "S3Input": places["input"]}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "reports", "S3Output": places["output"]}]},
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceType": deployment.instance_type,
                "InstanceCount": 1,
                "VolumeSizeInGB": 50,
            }
        },
        "NetworkConfig": {"EnableNetworkIsolation": True},
    }
