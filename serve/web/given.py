"""What a JSON body brings: media by its name, or texts in the body itself, which become a file of text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request

from serve.web.options import Named
from serve.web.uploads import upload_file

if TYPE_CHECKING:
    from serve.web.lanes import Place
    from serve.web.service import Ends, Job, Service


async def worked(service: Service, request: Request, ends: Ends, place: Place, job: Job, named: Named) -> bytes:
    """Have a worker answer for what one JSON object brings."""
    return await service.worked(place.lane, request, ends, lambda: _answer(service, job, named))


def _answer(service: Service, job: Job, named: Named) -> bytes:
    if named.media is not None:
        return service.answer_named(job, named.media)
    with _text_file(named) as path:
        return service.answer(job, path, path.name)


@contextmanager
def _text_file(named: Named) -> Iterator[Path]:
    with upload_file("application/json") as path:
        path.write_text(json.dumps([given.model_dump() for given in named.given()]), "utf-8")
        yield path
