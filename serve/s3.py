"""Objects in S3, by boto3: an optional extra that finds credentials and endpoint the way it always does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from model_zoo.errors import FetchError, FetchRefusedError, MediaNotFoundError, TemporaryFetchError, UsageError
from model_zoo.sources.s3 import region_said
from serve.shown import shown

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_AGAIN = {408, 429}
_SERVER_ERROR = 500
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class S3Place:
    """A bucket and a key, or the beginning of keys."""

    bucket: str
    key: str

    def __str__(self) -> str:
        """Return it as it may be shown: without what looks like the query of a signed URL."""
        return shown(f"s3://{self.bucket}/{self.key}".partition("?X-Amz-")[0])


def s3_place(text: str) -> S3Place:
    """Read `s3://BUCKET/KEY`; raises FetchRefusedError. Keys with `.` or `..` are refused."""
    bucket, _, key = text.removeprefix("s3://").partition("/")
    place = S3Place(bucket, key)
    if not text.startswith("s3://") or not _BUCKET.fullmatch(bucket):
        raise FetchRefusedError(f"{place}: not of the form s3://BUCKET/KEY with a bucket's plain name")
    if {".", ".."} & set(key.split("/")):
        raise FetchRefusedError(f"{place}: a key with the part `.` or `..` is not followed; rename the object")
    return place


def s3_client(connect_seconds: float = 10.0, read_seconds: float = 60.0, connections: int = 10) -> Any:
    """Return a client that may be used by several threads; raises UsageError where boto3 is not installed."""
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise UsageError("s3:// needs boto3; install it with `pip install 'reelwarden[s3]'`") from error
    config = Config(
        connect_timeout=connect_seconds,
        read_timeout=read_seconds,
        max_pool_connections=connections,
        retries={"mode": "standard"},  # throttled requests are repeated with growing pauses: AWS_MAX_ATTEMPTS
    )
    with s3_errors(S3Place("", "")):
        # a session of its own: the default one is not safe to make clients from in several threads
        return boto3.session.Session(region_name=region_said()).client("s3", config=config)


@contextmanager
def s3_errors(place: S3Place) -> Iterator[None]:
    """Turn boto3's errors into ours; messages from the server are left out, as they may quote a request."""
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        raise _refused(place, error) from None
    except (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.IncompleteReadError) as error:
        raise TemporaryFetchError(
            f"{place}: the connection to S3 failed ({type(error).__name__}); "
            "try again later, and check the network or AWS_ENDPOINT_URL"
        ) from None
    except exceptions.BotoCoreError as error:  # no credentials, no region
        raise FetchError(f"{place}: {type(error).__name__}; check credentials and region of AWS") from None


def _refused(place: S3Place, error: Any) -> FetchError | MediaNotFoundError:
    code = shown(str(error.response.get("Error", {}).get("Code", "")))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if status == _NOT_FOUND:
        return MediaNotFoundError(f"{place}: S3 has no such object ({code}); check bucket and key")
    if status in _AGAIN or status >= _SERVER_ERROR or code in {"SlowDown", "Throttling", "RequestTimeout"}:
        return TemporaryFetchError(f"{place}: S3 answered {status} {code} again and again; try again later")
    return FetchError(f"{place}: S3 answered {status} {code}; give the role s3:GetObject (and s3:ListBucket) there")
