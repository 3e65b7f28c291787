"""The whole serving contract against containers: all domains at once, one that sees, one that hears."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from images.catalog import Image, images
from tests.image_runs import HARDENED, Fence, fence, name_of, running
from tests.integration.contract_http import *  # noqa: F403

pytestmark = pytest.mark.docker


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
