"""The whole serving contract against containers: all domains at once, one that sees, one that hears."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from images.catalog import images
from tests.image_runs import HARDENED, Fence, fence, name_of, running
from tests.integration.contract_http import *  # noqa: F403

pytestmark = pytest.mark.docker
BY_NAME = {image.name: image for image in images()}


@pytest.fixture(scope="module")
def fenced() -> Iterator[Fence]:
    with fence() as made:
        yield made


@pytest.fixture(scope="module", params=["all", "labels", "transcription"])
def url(request: pytest.FixtureRequest, fenced: Fence) -> Iterator[str]:
    """Return the address of a hardened container that is ready, and end it when its tests are over."""
    with running(name_of(BY_NAME[request.param]), (*HARDENED, fenced.option)) as container:
        container.wait_until_ready()
        yield container.url
