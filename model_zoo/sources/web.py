"""`https:` sources, and the archives that package indexes point to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from model_zoo.sources.download import (
    InterruptedDownloadError,
    RefusedDownloadError,
    Remote,
    StalePartError,
    Stream,
)

TIMEOUT_SECONDS = 30.0
_AGAIN = {408, 425, 429, 500, 502, 503, 504}


def remote(url: str) -> Remote:
    """Return the file behind a URL; the standard proxy and certificate variables are honoured."""

    @contextmanager
    def opened(start: int) -> Iterator[Stream]:
        # identity: a compressed transfer could not be resumed, and weights do not shrink
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        place = httpx.URL(url).copy_with(userinfo=b"", query=None)  # both may hold secrets
        try:
            with httpx.stream(
                "GET", url, headers=headers, follow_redirects=True, timeout=TIMEOUT_SECONDS
            ) as response:  # fmt: skip
                yield _stream(response, start, str(place))
        except httpx.TransportError as error:
            raise InterruptedDownloadError(f"{place}: {error or type(error).__name__}") from error
        except httpx.HTTPError as error:
            raise RefusedDownloadError(f"{place}: {error}") from error

    return opened


def _stream(response: httpx.Response, start: int, place: str) -> Stream:
    status = response.status_code
    if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        # The part is as long as the file, or longer: nothing is left to read where the lengths agree.
        whole = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("content-range", ""))
        same = whole is not None and int(whole[1]) == start
        if not same:
            raise StalePartError(f"{place}: the server cannot go on at byte {start}")
        return Stream(start, start, iter(()))
    if status in _AGAIN:
        raise InterruptedDownloadError(f"{place}: HTTP {status} {response.reason_phrase}")
    if not response.is_success:
        raise RefusedDownloadError(f"{place}: HTTP {status} {response.reason_phrase}")
    going_on = re.match(rf"bytes {start}-", response.headers.get("content-range", ""))
    first = start if status == httpx.codes.PARTIAL_CONTENT and going_on else 0
    if status == httpx.codes.PARTIAL_CONTENT and not going_on:
        raise StalePartError(f"{place}: the server answered with another range than asked for")
    encoded = "content-encoding" in response.headers  # then the length is not that of the file
    length = 0 if encoded else int(response.headers.get("content-length", 0))
    return Stream(
        first, first + length if length else 0, response.iter_bytes()
    )  # as they come: none is lost when it breaks
