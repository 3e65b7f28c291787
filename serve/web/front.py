"""The page at `/`: a person drops a file and sees the review page."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files

from starlette.responses import HTMLResponse, Response


def front_page(domains: Sequence[str]) -> Response:
    """Return the page, with a box to tick for every domain; it loads nothing and runs its own script alone."""
    boxes = "".join(
        f'<label><input type="checkbox" value="{escape(name)}" checked> {escape(name)}</label>' for name in domains
    )
    text = _template().replace("{{ domains }}", boxes)
    return HTMLResponse(text, headers={"Content-Security-Policy": _policy()})


def error_page(message: str, status: int, headers: Mapping[str, str]) -> Response:
    """Return what a browser shows where there is no report."""
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Reelwarden</title>'
        '<body style="font:1rem/1.5 system-ui,sans-serif;margin:4rem auto;max-width:40rem;padding:0 1rem">'
        f'<h1>This did not work</h1><p>{escape(message)}</p><p><a href="/">Try another file</a></p>'
    )
    policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return HTMLResponse(text, status, policy | dict(headers))


@cache
def _template() -> str:
    return files("serve.web").joinpath("front.html").read_text("utf-8")


@cache
def _policy() -> str:
    hashes = {}
    for tag in ("script", "style"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", _template(), re.DOTALL)
        digest = hashlib.sha256(content[1].encode()).digest() if content else b""
        hashes[tag] = base64.b64encode(digest).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{hashes['script']}'; style-src 'sha256-{hashes['style']}'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
