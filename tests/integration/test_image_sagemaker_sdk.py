"""Amazon's own SDK, in both of its lines, runs an image in local mode: S201 to S205 and S301 to S305 of the contract.

Each has a virtual environment of its own below out/venvs, made when first needed; S3 is moto's server.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from tests.client_venvs import python_with
from tests.conftest import MEDIA, ROOT
from tests.image_runs import FLAVOR
from tests.server_process import free_port

pytestmark = pytest.mark.docker
VERSIONS = {"v2": "2.257.7", "v3": "3.27.0"}


@dataclass(frozen=True, slots=True)
class Inputs:
    """What an image is given: files by the names they get, all of one type."""

    media_type: str
    files: dict[str, Path]


VIDEOS = {
    "silent.mp4": MEDIA / "variants" / "demo_noaudio.mp4",
    "turned.mp4": MEDIA / "variants" / "demo_rotated90.mp4",
}
INPUTS = {
    "labels": Inputs("video/mp4", VIDEOS),
}
BUCKET = "reelwarden-test"
AWS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "SAGEMAKER_VALIDATE_ROLE": "false",
}


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    """Return the address of an S3 server."""
    port = free_port()
    server = subprocess.Popen(
        [ROOT / ".venv/bin/moto_server", "--host=127.0.0.1", f"--port={port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}", trust_env=False)
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module", params=["labels"])
def image(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def files(image: str) -> set[str]:
    """Return the names of what an image is given."""
    return set(INPUTS[image].files)


@pytest.fixture(scope="module", params=VERSIONS)
def answers(
    request: pytest.FixtureRequest, image: str, s3_url: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Return what all kinds of jobs answered."""
    folder = tmp_path_factory.mktemp(f"{image}-{request.param}")
    (folder / "media").mkdir()
    (folder / "model").mkdir()  # local mode mounts the whole folder of a model.tar.gz, and unpacks it there
    shutil.copy(ROOT / "out" / "images" / image / "weights.tar.gz", folder / "model" / "model.tar.gz")
    for name, original in INPUTS[image].files.items():
        shutil.copy(original, folder / "media" / name)
    fill_bucket(s3_url, folder / "media")
    quiet = folder / "config.yaml"
    quiet.write_text("SchemaVersion: '1.0'\nSageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}\n")
    program = ROOT / "tests" / "integration" / "sdk" / f"client_{request.param}.py"
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "REELWARDEN_"))}
    environment |= AWS | {"AWS_ENDPOINT_URL": s3_url, "SAGEMAKER_USER_CONFIG_OVERRIDE": str(quiet)}
    done = subprocess.run(
        [
            python_with(f"sagemaker=={VERSIONS[request.param]}"),
            program,
            f"reelwarden-{image}:{FLAVOR}",
            folder,
            str(port),
            INPUTS[image].media_type,
        ],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-6000:]
    found: dict[str, Any] = json.loads(done.stdout.rstrip().splitlines()[-1])
    return found


def fill_bucket(url: str, media: Path) -> None:
    """Lay the files, and one that is no media, into an empty bucket."""
    s3 = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    s3.create_bucket(Bucket=BUCKET)
    for listed in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=listed["Key"])
    for path in media.iterdir():
        s3.upload_file(str(path), BUCKET, f"media/{path.name}")
    s3.put_object(Bucket=BUCKET, Key="bad/broken.mp4", Body=b"no video " * 100)


def lasting(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report without what differs from run to run."""
    assert report["schema_version"].startswith("reelwarden.report/")
    return {name: value for name, value in report.items() if name != "run"}


def test_s201_s301_an_endpoint_answers_the_sdk_as_it_answers_anyone(answers: dict[str, Any], files: set[str]) -> None:
    assert set(answers["endpoint"]) == files
    for answer in answers["endpoint"].values():
        assert lasting(answer["sdk"]) == lasting(answer["raw"])
        assert answer["raw"]["complete"]


def test_s202_s302_batch_transform_gives_one_out_for_each_object(answers: dict[str, Any], files: set[str]) -> None:
    assert set(answers["batch"]) == {f"{name}.out" for name in files}
    for name in files:
        assert lasting(answers["batch"][f"{name}.out"]) == lasting(answers["endpoint"][name]["raw"])


def test_s203_s303_a_processing_job_writes_a_report_for_each_object(answers: dict[str, Any], files: set[str]) -> None:
    reports = answers["processing"]
    assert {f"{name}.json" for name in files} | {"summary.json"} == set(reports)
    for name in files:
        assert reports[f"{name}.json"]["domains"] == answers["endpoint"][name]["raw"]["domains"]


def test_s204_s304_a_job_that_fails_is_reported_as_failed(answers: dict[str, Any]) -> None:
    assert answers["failing"] == "RuntimeError"


def test_s205_s305_a_pipeline_succeeds_in_local_mode(answers: dict[str, Any], files: set[str]) -> None:
    assert answers["pipeline"]["status"] == "Succeeded"
    assert answers["pipeline"]["version"] == "2020-12-01"
    assert {f"{name}.json" for name in files} <= set(answers["pipeline"]["written"])
