"""`s3:` sources; boto3 is an optional extra and finds credentials and endpoint the way it always does."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from model_zoo.errors import WeightsError
from model_zoo.sources.download import (
    InterruptedDownloadError,
    RefusedDownloadError,
    Remote,
    StalePartError,
    Stream,
)

_RANGE_NOT_SATISFIABLE = 416
_SERVER_ERROR = 500
_BLOCK_BYTES = 1 << 16  # what is lost at most when the connection breaks


def region_said() -> str | None:
    """Return the region of `AWS_REGION`; None leaves it to boto3, which knows AWS_DEFAULT_REGION and profiles alone."""
    return os.environ.get("AWS_REGION") or None


def remote(where: str) -> Remote:
    """Return the object behind `//bucket/key`."""
    try:
        import boto3
        from botocore import exceptions
    except ImportError as error:
        raise WeightsError(f"s3:{where} needs boto3; install it with `pip install 'reelwarden[s3]'`") from error
    bucket, _, key = where.removeprefix("//").partition("/")

    @contextmanager
    def opened(start: int) -> Iterator[Stream]:
        try:
            asked = {"Range": f"bytes={start}-"} if start else {}
            answer = boto3.client("s3", region_name=region_said()).get_object(Bucket=bucket, Key=key, **asked)
            going_on = re.match(rf"bytes {start}-", answer.get("ContentRange", ""))
            first = start if going_on else 0
            yield Stream(first, first + answer["ContentLength"], answer["Body"].iter_chunks(_BLOCK_BYTES))
        except exceptions.ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            message = f"s3:{where}: {error}"
            if status == _RANGE_NOT_SATISFIABLE:
                raise StalePartError(message) from error
            if status >= _SERVER_ERROR:
                raise InterruptedDownloadError(message) from error
            raise RefusedDownloadError(message) from error
        except (exceptions.HTTPClientError, exceptions.IncompleteReadError) as error:  # the connection broke
            raise InterruptedDownloadError(f"s3:{where}: {error}") from error
        except exceptions.BotoCoreError as error:  # no credentials, no region
            raise RefusedDownloadError(f"s3:{where}: {error}") from error

    return opened
