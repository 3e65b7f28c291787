"""Where a source frame lands in a view, and how boxes come back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_zoo.ops.geometry import place
from model_zoo.values import Anchor, Fit, View

SIDES = st.integers(2, 4000)
SHARES = st.floats(0.5, 1.0)
FITS = st.sampled_from(["stretch", "letterbox", "cover"])
ANCHORS = st.sampled_from(["centre", "top_left"])


@given(st.integers(32, 640), st.integers(32, 640), SIDES, SIDES, FITS, ANCHORS, SHARES)
def test_boxes_travel_to_the_view_and_back(
    view_width: int, view_height: int, width: int, height: int, fit: Fit, anchor: Anchor, crop_share: float
) -> None:
    placement = place(View(view_width, view_height, fit, crop_share, anchor), width, height)
    boxes = np.array([[0, 0, width, height], [width / 4, height / 4, width / 2, height / 2]], np.float32)
    back = placement.to_source(placement.to_view(boxes))
    np.testing.assert_allclose(back, boxes, rtol=1e-4, atol=0.05)


@given(st.integers(32, 640), st.integers(32, 640), SIDES, SIDES, FITS, ANCHORS, SHARES)
def test_what_is_visible_lies_in_the_view_and_in_the_scaled_source(
    view_width: int, view_height: int, width: int, height: int, fit: Fit, anchor: Anchor, crop_share: float
) -> None:
    placed = place(View(view_width, view_height, fit, crop_share, anchor), width, height)
    assert 0 <= placed.left <= placed.left + placed.width <= view_width
    assert 0 <= placed.top <= placed.top + placed.height <= view_height
    assert 0 <= placed.crop_left <= placed.crop_left + placed.width <= placed.scaled_width
    assert 0 <= placed.crop_top <= placed.crop_top + placed.height <= placed.scaled_height
    if fit != "letterbox":
        assert (placed.width, placed.height) == (view_width, view_height)


@given(st.integers(64, 640), st.integers(20, 4000), st.integers(20, 4000))
def test_a_letterbox_keeps_the_shape_to_a_pixel_and_touches_two_sides(side: int, width: int, height: int) -> None:
    placed = place(View(side, side, "letterbox"), width, height)
    assert max(placed.width, placed.height) == side
    shorter = min(width, height) / max(width, height) * side
    assert abs(min(placed.width, placed.height) - shorter) <= 1


def test_cover_with_a_crop_share_is_the_classic_resize_256_crop_224() -> None:
    placed = place(View(224, 224, "cover", crop_share=0.875), 1920, 1080)
    assert (placed.scaled_width, placed.scaled_height) == (455, 256)
    assert (placed.crop_left, placed.crop_top) == (115, 16)


def test_the_padding_lies_on_both_sides_or_at_the_end() -> None:
    centred = place(View(320, 320, "letterbox"), 640, 360)
    cornered = place(View(320, 320, "letterbox", anchor="top_left"), 640, 360)
    assert (centred.left, centred.top, centred.width, centred.height) == (0, 70, 320, 180)
    assert (cornered.left, cornered.top) == (0, 0)


def test_boxes_that_reach_into_the_padding_are_clipped_to_the_source() -> None:
    placed = place(View(320, 320, "letterbox"), 640, 360)
    boxes = placed.to_source(np.array([[-5, 0, 330, 320]], np.float32))
    np.testing.assert_allclose(boxes, [[0, 0, 640, 360]])
    assert boxes.dtype == np.float32


def test_no_boxes_stay_no_boxes() -> None:
    assert place(View(320, 320), 640, 360).to_source(np.empty((0, 4), np.float32)).shape == (0, 4)


def test_a_source_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="0x360"):
        place(View(320, 320), 0, 360)
