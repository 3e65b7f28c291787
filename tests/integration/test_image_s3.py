"""Media in S3 from inside a container: named by a request, or read and answered by a job; nothing else is called."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import MEDIA
from tests.image_runs import FLAVOR, FORWARDED, HARDENED, Container, Fence, fence, run, running
from tests.s3_server import s3_server

pytestmark = pytest.mark.docker
CAT = MEDIA / "images" / "cat.png"
SECRET = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - its name
NAMES = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", SECRET, "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED")
TEXTS = {"friendly": "What a lovely garden you have.", "rude": "You are a worthless idiot, nobody wants you here."}


@pytest.fixture(scope="module")
def fenced() -> Iterator[Fence]:
    with fence(FORWARDED) as made:  # S3 is on this host
        yield made


@pytest.fixture(scope="module")
def s3(fenced: Fence) -> Iterator[Any]:
    """Serve S3 where containers behind the fence reach it, with pictures and texts in the bucket `clips`."""
    with pytest.MonkeyPatch.context() as environment, s3_server(environment, fenced.host) as client:
        for path in (CAT, MEDIA / "variants" / "demo_noaudio.mp4"):
            client.upload_file(str(path), "clips", f"in/deep/{path.name}")
        for name, text in TEXTS.items():
            client.put_object(Bucket="clips", Key=f"texts/{name}.txt", Body=text.encode())
        yield client


def options(fenced: Fence) -> tuple[str, ...]:
    """Return how a container is started that may read S3."""
    return (*HARDENED, *fenced.options, *(f"--env={name}={os.environ[name]}" for name in NAMES))


def asked(container: Container, body: str, media_type: str = "application/json") -> httpx.Response:
    return httpx.post(
        f"{container.url}/invocations",
        content=body,
        headers={"Content-Type": media_type},
        timeout=240,
        trust_env=False,
    )


def named(key: str) -> str:
    return json.dumps({"media": f"s3://{key}"})


def test_a_request_names_media_in_s3_and_gets_the_report_of_its_bytes(s3: Any, fenced: Fence) -> None:
    before = fenced.attempts()
    allowed = "--env=REELWARDEN_FETCH_FROM=s3://clips/in"
    with running(f"reelwarden-labels:{FLAVOR}", (*options(fenced), allowed)) as container:
        container.wait_until_ready()
        by_name = asked(container, named("clips/in/deep/cat.png"))
        assert by_name.status_code == 200, by_name.text
        assert by_name.json()["media"]["name"] == "cat.png"
        posted = httpx.post(f"{container.url}/invocations", content=CAT.read_bytes(), timeout=60, trust_env=False)
        assert by_name.json()["domains"] == posted.json()["domains"]
        assert asked(container, named("clips/in/none.png")).status_code == 422
        assert asked(container, named("clips/texts/rude.txt")).status_code == 403
        assert os.environ[SECRET] not in container.logs()
    assert fenced.attempts() == before


def test_the_image_for_toxic_language_takes_text_json_and_json_lines(s3: Any, fenced: Fence) -> None:
    allowed = "--env=REELWARDEN_FETCH_FROM=s3://clips"
    with running(f"reelwarden-toxicity:{FLAVOR}", (*options(fenced), allowed)) as container:
        container.wait_until_ready()
        as_text = {name: asked(container, text, "text/plain").json() for name, text in TEXTS.items()}
        as_json = asked(container, named("clips/texts/rude.txt"))
        lines = "\n".join(named(f"clips/texts/{name}.txt") for name in TEXTS)
        as_lines = [json.loads(line) for line in asked(container, lines, "application/jsonlines").text.splitlines()]
    assert rated(as_text["rude"]) > 0.5 > rated(as_text["friendly"])
    assert rated(as_json.json()) == rated(as_text["rude"])
    assert [rated(report) for report in as_lines] == [rated(as_text[name]) for name in TEXTS]


def rated(report: dict[str, Any]) -> float:
    """Return how toxic the one text of a report is."""
    (text,) = report["domains"]["toxicity"]["texts"]
    score: float = text["toxicity"]
    return score


def test_a_job_reads_a_prefix_and_answers_into_another_and_goes_on_there(s3: Any, fenced: Fence) -> None:
    before = fenced.attempts()
    command = ("process", "--input", "s3://clips/in", "--output", "s3://clips/out")
    first, again = (
        run("docker", "run", "--rm", *options(fenced), f"reelwarden-labels:{FLAVOR}", *command) for _ in range(2)
    )
    assert json.loads(first.stdout.splitlines()[-1])["counts"]["done"] == 2
    assert json.loads(again.stdout.splitlines()[-1])["counts"]["kept"] == 2
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="clips", Prefix="out/")["Contents"]]
    assert keys == ["out/deep/cat.png.json", "out/deep/demo_noaudio.mp4.json", "out/summary.json"]
    report = json.loads(s3.get_object(Bucket="clips", Key=keys[0])["Body"].read())
    assert report["media"]["name"] == "cat.png"
    assert os.environ[SECRET] not in first.stdout + first.stderr
    assert fenced.attempts() == before
