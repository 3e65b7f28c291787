"""Videos whose picture size changes on the way: nothing is stretched, and the report says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model_zoo.errors import MediaLimitError
from model_zoo.report import DecodeFacts
from model_zoo.values import View
from serve.decode.reading import Wanted, read
from serve.media import Limits, open_media
from tests.clips import number_in, write_clip

ONE_BY_ONE = {"x264-params": "keyint=10:min-keyint=10:bframes=0:scenecut=0:log-level=none", "preset": "ultrafast"}
SHOWN = "the picture size changes from 160x96 to"


def joined(folder: Path, size: tuple[int, int]) -> Path:
    """Make 25 frames of 160x96 and 25 of another size behind them."""
    paths = [
        write_clip(
            folder / f"{number}.ts",
            frames=25,
            options=ONE_BY_ONE,
            size=part,
            times=[number + frame / 25 for frame in range(25)],
            muxer={"output_ts_offset": "0"},
        )
        for number, part in enumerate([(160, 96), size])
    ]
    path = folder / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in paths))
    return path


def pictures(path: Path, interval_seconds: float, limits: Limits) -> tuple[list[NDArray[np.uint8]], DecodeFacts]:
    with read(open_media(path, limits), [Wanted(View(160, 96, pad=7), interval_seconds, batch=8)]) as reading:
        found = [picture for _, frames in reading for picture in frames.pixels]
    return found, reading.facts


@pytest.mark.parametrize("interval_seconds", [0, 0.2])
def test_a_larger_picture_of_the_same_shape_fills_the_view(tmp_path: Path, interval_seconds: float) -> None:
    found, facts = pictures(joined(tmp_path, (320, 192)), interval_seconds, Limits())
    expected = list(range(0, 25, 5 if interval_seconds else 1))
    assert [number_in(picture) for picture in found] == expected * 2
    assert facts.strategy_reason.endswith(f"{SHOWN} 320x192 at 1.00 s")
    assert not facts.truncated, facts.truncated_reason


def test_a_picture_of_another_shape_keeps_it(tmp_path: Path) -> None:
    found, facts = pictures(joined(tmp_path, (96, 160)), 0.2, Limits())
    assert len(found) == 10
    for number, picture in enumerate(found[5:]):
        left, right = 51, 51 + 58  # 96x160 fitted into 160x96
        assert number_in(picture[:, left:right]) == 5 * number
        assert (picture[:, :left] == 7).all()
        assert (picture[:, right:] == 7).all()
    assert not facts.truncated


def test_a_shape_of_which_little_is_seen_is_not_called_complete(tmp_path: Path) -> None:
    _, facts = pictures(joined(tmp_path, (32, 192)), 0.2, Limits())
    assert facts.truncated_reason == f"{SHOWN} 32x192 at 1.00 s, and little of it is seen in that shape"


def test_the_limits_hold_for_later_pictures_too(tmp_path: Path) -> None:
    with pytest.raises(MediaLimitError, match="320x192 pixels"):
        pictures(joined(tmp_path, (320, 192)), 0.2, Limits(max_side=200))
