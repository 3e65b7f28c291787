"""Everything SageMaker does with an image, by the SDK 3.x in local mode; prints what came of it as JSON.

client_v3.py IMAGE FOLDER PORT MEDIA_TYPE      FOLDER: model/model.tar.gz, media/*; the bucket: media/*, bad/*
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3
from answers import BUCKET, MEDIA_TYPE, PROCESS, REGION, ROLE, asked_directly, processed, tell, transformed
from sagemaker.core.local import LocalSession
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.transformer import Transformer
from sagemaker.core.workflow.pipeline_context import LocalPipelineSession as Steps
from sagemaker.mlops.local import LocalPipelineSession
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep

IMAGE, FOLDER, PORT = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
LOCAL = {"local": {"local_code": True, "serving_port": PORT}}
NAME = "reelwarden"


def main() -> None:
    """Run every kind of job and print the answers."""
    boto = boto3.Session(region_name=REGION)
    session = configured(LocalSession(boto_session=boto, default_bucket=BUCKET))
    container = {"Image": IMAGE, "ModelDataUrl": f"file://{FOLDER}/model/model.tar.gz", "Environment": {}}
    session.sagemaker_client.create_model(ModelName=NAME, PrimaryContainer=container)
    tell(
        {
            "endpoint": endpoint(session),
            "batch": batch(session),
            "processing": processing(session, "media", "processed"),
            "failing": failing(session),
            "pipeline": pipeline(boto),
        }
    )


def configured(session: LocalSession) -> LocalSession:
    """Return the session with the settings of local mode."""
    session.config = LOCAL
    return session


def endpoint(session: LocalSession) -> dict[str, Any]:
    """Deploy, and ask by the SDK's client and directly."""
    client, runtime = session.sagemaker_client, session.sagemaker_runtime_client
    variant = {"VariantName": "all", "ModelName": NAME, "InitialInstanceCount": 1, "InstanceType": "local"}
    client.create_endpoint_config(NAME, [variant])
    client.create_endpoint(NAME, NAME)
    try:
        return {
            path.name: {
                "sdk": json.loads(
                    runtime.invoke_endpoint(
                        Body=path.read_bytes(), EndpointName=NAME, ContentType=MEDIA_TYPE, Accept="application/json"
                    )["Body"].read()
                ),
                "raw": asked_directly(PORT, path),
            }
            for path in sorted((FOLDER / "media").iterdir())
        }
    finally:
        client.delete_endpoint(NAME)


def batch(session: LocalSession) -> dict[str, Any]:
    """Transform a folder of objects, one request each."""
    out = FOLDER / "transformed"
    transformer = Transformer(
        NAME,
        1,
        "local",
        strategy="SingleRecord",
        accept="application/json",
        max_payload=100,
        output_path=f"file://{out}",
        base_transform_job_name=NAME,
        sagemaker_session=session,
    )
    transformer.transform(f"file://{FOLDER}/media", content_type=MEDIA_TYPE, wait=False)
    return transformed(out)


def processor(session: LocalSession) -> Processor:
    """Return a processor that runs `reelwarden process`."""
    return Processor(
        role=ROLE,
        image_uri=IMAGE,
        instance_count=1,
        instance_type="local",
        entrypoint=PROCESS,
        sagemaker_session=session,
    )


def places(source: str, target: str) -> dict[str, Any]:
    """Return where a processing job reads and writes."""
    read = ProcessingS3Input(
        s3_uri=f"s3://{BUCKET}/{source}",
        local_path="/opt/ml/processing/input",
        s3_data_type="S3Prefix",
        s3_input_mode="File",
    )
    written = ProcessingS3Output(
        s3_uri=f"s3://{BUCKET}/{target}", local_path="/opt/ml/processing/output", s3_upload_mode="EndOfJob"
    )
    return {
        "inputs": [ProcessingInput(input_name="media", s3_input=read)],
        "outputs": [ProcessingOutput(output_name="reports", s3_output=written)],
    }


def processing(session: LocalSession, source: str, target: str) -> dict[str, Any]:
    """Run a processing job and return what it wrote."""
    processor(session).run(**places(source, target), wait=True, logs=False)
    return processed(target)


def failing(session: LocalSession) -> str:
    """Run a job over files that are no media and return how the SDK reports it."""
    try:
        processing(session, "bad", "failed")
    except RuntimeError as error:
        return type(error).__name__
    return "nothing was reported"


def pipeline(boto: boto3.Session) -> dict[str, Any]:
    """Run a pipeline of one step; one session describes steps, another runs them."""
    steps = configured(Steps(boto_session=boto, default_bucket=BUCKET))
    step = ProcessingStep("watch", step_args=processor(steps).run(**places("media", "piped")))
    made = Pipeline(name=NAME, steps=[step], sagemaker_session=steps)
    runner = configured(LocalPipelineSession(boto_session=boto, default_bucket=BUCKET))
    runner.create_pipeline(made, "watch videos")
    execution = runner.start_pipeline_execution(NAME)
    return {
        "version": json.loads(made.definition())["Version"],
        "status": execution.describe()["PipelineExecutionStatus"],
        "written": sorted(processed("piped")),
    }


if __name__ == "__main__":
    main()
