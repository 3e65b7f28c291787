"""The whole serving contract against a container of every image."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from images.catalog import Image, images
from tests.image_runs import HARDENED, Fence, fence, name_of, running
from tests.integration.contract_http import *  # noqa: F403
from tests.integration.contract_pictures import *  # noqa: F403
from tests.integration.contract_texts import *  # noqa: F403

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def fenced() -> Iterator[Fence]:
    with fence() as made:
        yield made


@pytest.fixture(scope="module", params=images(), ids=lambda image: image.name)
def image(request: pytest.FixtureRequest) -> Image:
    found: Image = request.param
    return found


@pytest.fixture(scope="module")
def url(image: Image, fenced: Fence) -> Iterator[str]:
    """Return the address of a hardened container that is ready, and end it when its tests are over."""
    with running(name_of(image), (*HARDENED, *fenced.options)) as container:
        container.wait_until_ready()
        yield container.url
