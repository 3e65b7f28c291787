"""The client of NVIDIA's Triton finds a server alive and ready: O01 and O02 of the contract."""

from __future__ import annotations

import pytest

from images.catalog import Image, images
from tests.client_venvs import python_with
from tests.image_runs import name_of, run, running

pytestmark = pytest.mark.docker
ASK = (
    "import sys; from tritonclient.http import InferenceServerClient as Client; client = Client(sys.argv[1]);"
    " print(client.is_server_live(), client.is_server_ready())"
)


@pytest.mark.parametrize("image", images(), ids=lambda image: image.name)
def test_o01_o02_it_is_alive_at_once_and_ready_with_ping(image: Image) -> None:
    python = python_with("tritonclient[http]==2.73.0")
    with running(name_of(image)) as container:
        container.wait_until_ready()
        said = run(str(python), "-c", ASK, container.url.removeprefix("http://"))
        assert said.stdout.split() == ["True", "True"]
