"""The whole serving contract against containers: all domains at once, one that sees, one that hears."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from images.catalog import Image, images
from tests.client_venvs import python_with
from tests.image_runs import HARDENED, Fence, fence, name_of, run, running
from tests.integration.contract_http import *  # noqa: F403

pytestmark = pytest.mark.docker
ASK_AS_TRITON = (
    "import sys; from tritonclient.http import InferenceServerClient as Client; client = Client(sys.argv[1]);"
    " print(client.is_server_live(), client.is_server_ready())"
)


@pytest.fixture(scope="module")
def fenced() -> Iterator[Fence]:
    with fence() as made:
        yield made


SERVED = [image for image in images() if image.name in {"all", "labels", "transcription"}]


@pytest.fixture(scope="module", params=SERVED, ids=lambda image: image.name)
def image(request: pytest.FixtureRequest) -> Image:
    found: Image = request.param
    return found


@pytest.fixture(scope="module")
def url(image: Image, fenced: Fence) -> Iterator[str]:
    """Return the address of a hardened container that is ready, and end it when its tests are over."""
    with running(name_of(image), (*HARDENED, fenced.option)) as container:
        container.wait_until_ready()
        yield container.url


def test_o01_o02_the_client_of_triton_finds_it_alive_and_ready(url: str) -> None:
    python = python_with("tritonclient[http]==2.73.0")
    said = run(str(python), "-c", ASK_AS_TRITON, url.removeprefix("http://"))
    assert said.stdout.split() == ["True", "True"]
