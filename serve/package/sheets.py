"""The pictures of a package: thumbnails and a contact sheet, with every flagged picture made unrecognisable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from serve.decode.canvas import Picture
from serve.jpeg import blurred, decode, encode, scaled
from serve.overlaps import Stretch
from serve.stills import Still

THUMBNAIL_SIDE = 320  # pixels of the longer side
TILE_SIDE = 240
GAP = 6  # pixels between tiles
MOST_COLUMNS = 4
PAPER = 24  # grey value behind the tiles


def thumbnail(still: Still) -> bytes:
    """Return a small JPEG in which nothing can be recognised."""
    return encode(blurred(_fitted(decode(still.jpeg), THUMBNAIL_SIDE)))


def contact_sheet(stills: Sequence[Still], flagged: Sequence[Stretch]) -> bytes:
    """Return pictures side by side, in rows, as one JPEG; those in a flagged stretch are blurred."""
    tiles = []
    for still in stills:
        tile = _fitted(decode(still.jpeg), TILE_SIDE)
        hidden = any(start <= still.seconds <= end for start, end in flagged)
        tiles.append(blurred(tile) if hidden else tile)
    height, width = (max(tile.shape[axis] for tile in tiles) for axis in (0, 1))
    columns = min(MOST_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), PAPER, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = GAP + number // columns * (height + GAP), GAP + number % columns * (width + GAP)
        sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return encode(sheet)


def _fitted(picture: Picture, side: int) -> Picture:
    height, width = picture.shape[:2]
    share = min(1.0, side / max(height, width))
    return scaled(picture, max(1, round(width * share)), max(1, round(height * share)))
