"""The serving contract against a server of this checkout, or against the one that REELWARDEN_TEST_URL names."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.integration.contract_http import *  # noqa: F403
from tests.integration.contract_pictures import *  # noqa: F403
from tests.integration.contract_texts import *  # noqa: F403
from tests.server_process import started

pytestmark = pytest.mark.weights
ANOTHER = os.environ.get("REELWARDEN_TEST_URL")


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the base URL of a server that is ready."""
    if ANOTHER:
        yield ANOTHER.rstrip("/")
        return
    with started(tmp_path_factory.mktemp("server"), REELWARDEN_DOMAINS="labels,shots,sounds,toxicity") as server:
        server.wait_for(200)
        yield server.url
