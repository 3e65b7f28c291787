"""Answers go out in pieces, so that no more of one waits in memory than the client is about to take."""

from __future__ import annotations

from starlette.types import Message, Send

PIECE_BYTES = 1 << 18


def in_pieces(send: Send) -> Send:
    """Return what sends a body piece by piece; each waits until the one before it was taken."""

    async def send_pieces(message: Message) -> None:
        body = message.get("body", b"")
        last = max(0, len(body) - 1) // PIECE_BYTES * PIECE_BYTES  # where the last piece begins
        for start in range(0, last, PIECE_BYTES):
            await send({"type": "http.response.body", "body": body[start : start + PIECE_BYTES], "more_body": True})
        await send({**message, "body": body[last:]} if last else message)

    return send_pieces
