"""NVIDIA's drivers: the oldest that will do, and the hosts of SageMaker that have a newer one; docs/shipping.md."""

from __future__ import annotations

LEAST_CUDA = 12_000  # what the libraries are built for; a driver that knows less runs none of them
LEAST_DRIVER = 525  # the first for CUDA 12; libraries of every 12.x run on it by minor-version compatibility
DEFAULT_DRIVER = 470  # of SageMaker's hosts of g4dn and g5, unless one of these is asked for:
INFERENCE_AMI, INFERENCE_DRIVER = "al2023-ami-sagemaker-inference-gpu-4-1", 580
TRANSFORM_AMI, TRANSFORM_DRIVER = "al2-ami-sagemaker-batch-gpu-535", 535
