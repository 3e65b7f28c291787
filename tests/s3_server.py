"""A real S3 server on this machine, by moto: spoken to over HTTP, by whatever process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer


@contextmanager
def s3_server(monkeypatch: pytest.MonkeyPatch, address: str = "127.0.0.1") -> Iterator[Any]:
    """Serve S3 on a free port with an empty bucket `clips`; the environment points to it. Yields a client."""
    server = ThreadedMotoServer(address, port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "a-very-secret-key",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": address,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    try:
        httpx.post(f"{environment['AWS_ENDPOINT_URL']}/moto-api/reset")  # servers of one process share what they hold
        client = boto3.session.Session().client("s3")
        client.create_bucket(Bucket="clips")
        yield client
        client.close()
    finally:
        server.stop()
