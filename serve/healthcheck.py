"""`reelwarden healthcheck`: ask the server of this container, with nothing but the standard library and no delay."""

from __future__ import annotations

import http.client
import os
import sys

DEFAULT_PORT = 8080
MOST_SECONDS = 2.0
HELP = (
    "Usage: reelwarden healthcheck\n\nEnd with 0 when the server of this machine answers /ping with 200, else with 1.\n"
)


def main(arguments: list[str]) -> int:
    """Return 0 when `/ping` answers 200 in time, else 1 with the reason on standard error."""
    if arguments:
        sys.stdout.write(HELP)
        return 0 if arguments == ["--help"] else 2
    port = os.environ.get("SAGEMAKER_BIND_TO_PORT") or os.environ.get("REELWARDEN_PORT") or DEFAULT_PORT
    try:
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=MOST_SECONDS)
        connection.request("GET", "/ping")
        answer = connection.getresponse()
        problem = None if answer.status == http.HTTPStatus.OK else f"{answer.status} {answer.read(1000).decode()}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        problem = str(error) or type(error).__name__
    if problem is not None:
        sys.stderr.write(f"error: /ping at port {port}: {problem}\n")
    return int(problem is not None)
