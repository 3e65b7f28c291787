"""Everything SageMaker does with an image, by the SDK 2.x in local mode; prints what came of it as JSON.

client_v2.py IMAGE FOLDER PORT MEDIA_TYPE      FOLDER: model/model.tar.gz, media/*; the bucket: media/*, bad/*
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3
from answers import BUCKET, MEDIA_TYPE, PROCESS, REGION, ROLE, asked_directly, processed, tell, transformed
from sagemaker.deserializers import JSONDeserializer
from sagemaker.local import LocalSession
from sagemaker.model import Model
from sagemaker.predictor import Predictor
from sagemaker.processing import ProcessingInput, ProcessingOutput, Processor
from sagemaker.serializers import DataSerializer
from sagemaker.transformer import Transformer
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import LocalPipelineSession
from sagemaker.workflow.steps import ProcessingStep

IMAGE, FOLDER, PORT = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
LOCAL = {"local": {"local_code": True, "serving_port": PORT}}


def main() -> None:
    """Run every kind of job and print the answers."""
    boto = boto3.Session(region_name=REGION)
    session = LocalSession(boto_session=boto, default_bucket=BUCKET)
    session.config = LOCAL
    model = Model(
        image_uri=IMAGE,
        model_data=f"file://{FOLDER}/model/model.tar.gz",
        role=ROLE,
        sagemaker_session=session,
        predictor_cls=Predictor,
    )
    tell(
        {
            "endpoint": endpoint(model),
            "batch": batch(model, session),
            "processing": processing(session, "media", "processed"),
            "failing": failing(session),
            "pipeline": pipeline(boto),
        }
    )


def endpoint(model: Model) -> dict[str, Any]:
    """Deploy, and ask by the SDK and directly."""
    predictor = model.deploy(1, "local")
    predictor.serializer = DataSerializer(content_type=MEDIA_TYPE)
    predictor.deserializer = JSONDeserializer()
    try:
        return {
            path.name: {"sdk": predictor.predict(path.read_bytes()), "raw": asked_directly(PORT, path)}
            for path in sorted((FOLDER / "media").iterdir())
        }
    finally:
        predictor.delete_endpoint()


def batch(model: Model, session: LocalSession) -> dict[str, Any]:
    """Transform a folder of objects, one request each."""
    model.create(instance_type="local")
    out = FOLDER / "transformed"
    transformer = Transformer(
        model.name,
        1,
        "local",
        strategy="SingleRecord",
        accept="application/json",
        max_payload=100,
        output_path=f"file://{out}",
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
    return {
        "inputs": [ProcessingInput(f"s3://{BUCKET}/{source}", "/opt/ml/processing/input", input_name="media")],
        "outputs": [ProcessingOutput("/opt/ml/processing/output", f"s3://{BUCKET}/{target}", "reports")],
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
    """Run a pipeline of one step."""
    session = LocalPipelineSession(boto_session=boto, default_bucket=BUCKET)
    session.config = LOCAL
    step = ProcessingStep("watch", step_args=processor(session).run(**places("media", "piped")))
    made = Pipeline(name="reelwarden", steps=[step], sagemaker_session=session)
    made.create(ROLE)
    execution = made.start()
    return {
        "version": json.loads(made.definition())["Version"],
        "status": execution.describe()["PipelineExecutionStatus"],
        "written": sorted(processed("piped")),
    }


if __name__ == "__main__":
    main()
