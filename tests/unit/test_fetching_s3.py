"""Fetching media from a real S3 server."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_zoo.errors import FetchError, FetchRefusedError, MediaLimitError, MediaNotFoundError, TemporaryFetchError
from serve.fetching import Fetcher
from serve.s3 import s3_client
from serve.settings import load_settings
from tests.file_server import serving
from tests.s3_server import s3_server

CLIP = bytes(range(256)) * 4000


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as environment, s3_server(environment) as client:
        client.put_object(Bucket="clips", Key="in/odd name+ü#1.mp4", Body=CLIP)
        client.put_object(Bucket="clips", Key="other/a.mp4", Body=CLIP)
        yield client


def fetcher(**settings: object) -> Fetcher:
    return Fetcher(load_settings(**{"fetch_from": "s3://clips/in/"} | settings).fetch_rules())


def test_an_object_is_there_for_the_block_and_gone_after_it(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with fetcher().fetched("s3://clips/in/odd name+ü#1.mp4") as path:
        assert path.name == "odd name+ü#1.mp4"
        assert path.read_bytes() == CLIP
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("place", "allowed"),
    [
        ("s3://clips", True),
        ("s3://clips/", True),
        ("s3://cl*", True),
        ("s3://clips/other", True),
        ("s3://clips/*/a.mp4", True),
        ("s3://clip", False),
        ("s3://clips/in", False),
        ("s3://*/in", False),
        ("s3://c/clips/other", False),
    ],
)
def test_the_allow_list_is_of_buckets_and_prefixes(s3: Any, place: str, allowed: bool) -> None:
    fetch = fetcher(fetch_from=place).fetched("s3://clips/other/a.mp4")
    if allowed:
        with fetch as path:
            assert path.read_bytes() == CLIP
        return
    with pytest.raises(FetchRefusedError, match="fetch_from"), fetch:
        pass


@pytest.mark.parametrize(
    "reference",
    [
        *("s3://clips/in/../other/a.mp4", "s3://clips/in/./a.mp4", "s3:///a.mp4", "s3://CLIPS/a.mp4"),
        *("s3://arn:aws:s3:us-east-1:1:accesspoint/x/a.mp4", "s3://clips@evil/a.mp4"),
    ],
)
def test_an_odd_address_is_refused(reference: str) -> None:
    with pytest.raises(FetchRefusedError):
        fetcher(fetch_from="s3://*").fetched(reference)


def test_what_is_not_there_or_too_large_is_said_so(s3: Any) -> None:
    with pytest.raises(MediaNotFoundError, match=r"s3://clips/in/gone\.mp4: S3 has no such object"):
        fetcher().fetched("s3://clips/in/gone.mp4").__enter__()
    with pytest.raises(MediaNotFoundError, match="NoSuchBucket"):
        fetcher(fetch_from="s3://*").fetched("s3://nowhere/in/gone.mp4").__enter__()
    with pytest.raises(MediaLimitError, match="over the limit of 10"):
        fetcher(max_bytes=10).fetched("s3://clips/in/odd name+ü#1.mp4").__enter__()


def test_a_server_that_is_not_there_is_a_passing_problem(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(TemporaryFetchError, match="EndpointConnectionError"):
        fetcher().fetched("s3://clips/in/a.mp4").__enter__()


def test_a_store_that_drips_is_given_up_when_the_one_who_waits_must_answer(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as store:
        monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
        store.files["/clips/in/a.mp4"], store.pause_seconds = CLIP, 0.01
        start = time.monotonic()
        with pytest.raises(TemporaryFetchError, match=r"s3://clips/in/a\.mp4: not here in time: the deadline is over"):
            fetcher().fetched("s3://clips/in/a.mp4", most_seconds=0.3).__enter__()
        with pytest.raises(TemporaryFetchError, match="the client has left"):
            fetcher().fetched("s3://clips/in/a.mp4", stop=lambda: "the client has left").__enter__()
        assert time.monotonic() - start < 5


def test_without_credentials_the_message_says_what_to_check(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    with pytest.raises(FetchError, match="NoCredentialsError; check credentials"):
        fetcher().fetched("s3://clips/in/a.mp4").__enter__()


def test_requests_go_to_the_region_that_schedulers_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")  # as the examples in deploy/ do, and SageMaker, Lambda and EKS
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    assert s3_client().meta.region_name == "eu-central-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert s3_client().meta.region_name == "eu-central-1"
    monkeypatch.setenv("AWS_REGION", "")
    assert s3_client().meta.region_name == "us-west-2"
