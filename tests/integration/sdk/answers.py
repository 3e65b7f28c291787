"""Where the programs of both SDKs find what an image answered."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import boto3

BUCKET = "reelwarden-test"
REGION = "us-east-1"
ROLE = "arn:aws:iam::111122223333:role/reelwarden"
MEDIA_TYPE = sys.argv[4]
PROCESS = [
    "reelwarden",
    "process",
    *(["--match", "*.txt"] if MEDIA_TYPE == "text/plain" else []),
]  # texts are asked for


def asked_directly(port: int, path: Path) -> Any:
    """Return what the container of an endpoint answers without an SDK."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", path.read_bytes(), {"Content-Type": MEDIA_TYPE}
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - this machine's
        return json.load(answer)


def transformed(folder: Path) -> dict[str, Any]:
    """Return what a batch transform wrote below a folder, by file name."""
    return {path.name: json.loads(path.read_text("utf-8")) for path in sorted(folder.rglob("*.out"))}


def processed(prefix: str) -> dict[str, Any]:
    """Return the JSON objects that a processing job wrote below a prefix of the bucket."""
    bucket = boto3.resource("s3", region_name=REGION).Bucket(BUCKET)
    found = {entry.key: entry.get()["Body"].read() for entry in bucket.objects.filter(Prefix=f"{prefix}/")}
    return {Path(key).name: json.loads(body) for key, body in found.items() if key.endswith(".json")}


def tell(found: dict[str, Any]) -> None:
    """Print the answers as the last line."""
    sys.stdout.write("\n" + json.dumps(found) + "\n")
