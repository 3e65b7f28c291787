"""What stands behind the routes: workers that do not come back make the server fail, until they do."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from starlette.requests import Request

from serve.settings import load_settings
from serve.web import service as service_module
from serve.web.refusals import LaterError, StuckError
from serve.web.service import Service


async def nothing_more() -> dict[str, str]:
    """Be a client that stays."""
    await asyncio.sleep(60)
    return {"type": "http.disconnect"}


def test_a_server_whose_workers_were_lost_is_well_again_when_one_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "MOST_STUCK_SECONDS", 0.05)
    service, go = Service(load_settings(videos_at_once=1), deadline_seconds=0.1), threading.Event()
    service.health.loaded()
    request = Request({"type": "http", "headers": []}, nothing_more)
    with pytest.raises(StuckError):
        asyncio.run(service.worked(service.videos, request, service.ends(), go.wait))
    assert service.state == "failed"
    with pytest.raises(LaterError, match="the server is failed"):
        service.check_ready()
    go.set()
    until = time.monotonic() + 10
    while service.state != "ready" and time.monotonic() < until:
        time.sleep(0.01)
    assert service.state == "ready"
    service.check_ready()
    assert service.close()
