"""The points of the serving contract that are about files of several pictures; used as contract_http.py is."""

from __future__ import annotations

import struct

import httpx
import pytest

from tests.integration.contract_http import error_of, post

MOVING_WEBP = b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<IB", 10, 0x02) + bytes(9)
TWO_PAGES = b"II*\0" + struct.pack("<IHI", 8, 0, 8)  # a page without tags, and one more behind it


@pytest.mark.parametrize(("media_type", "content"), [("image/webp", MOVING_WEBP), ("image/tiff", TWO_PAGES)])
def test_c19_several_pictures_in_a_file_are_a_422_with_their_type_and_a_415_without(
    http: httpx.Client, media_type: str, content: bytes
) -> None:
    for said, status in ((media_type, 422), (None, 415)):
        answer = post(http, content, said)
        assert answer.status_code == status, answer.text
        assert "decoded" in error_of(answer)["message"]
