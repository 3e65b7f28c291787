"""Alignment: five points, an upright chip, and pictures cut out of pictures."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from model_zoo.faces.alignment import MEAN_FACE, TABLES, chip, similarity, square_to_source
from model_zoo.faces.quality import pose_degrees, sharpness
from model_zoo.ops.image import Pyramid, halved, warp

STRAIGHT = np.array([[40, 40], [80, 40], [60, 64], [60, 80], [20, 50], [100, 50]], np.float64)


def gradient(height: int, width: int) -> np.ndarray:
    """Return a picture whose red grows to the right and whose green grows downwards."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, :, 0] = np.linspace(0, 250, width)[None, :]
    picture[:, :, 1] = np.linspace(0, 250, height)[:, None]
    return picture


def test_the_landmark_tables_are_what_their_recipe_made() -> None:
    made = json.loads(TABLES.with_suffix(".json").read_text("utf-8"))
    assert hashlib.sha256(TABLES.read_bytes()).hexdigest() == made["sha256"]


def test_a_similarity_undoes_turn_scale_and_shift() -> None:
    turned = square_to_source(np.array([50.0, 70.0]), 30, 0.7, 10)
    points = MEAN_FACE * 10
    assert similarity(points, points @ turned[:, :2].T + turned[:, 2]) == pytest.approx(turned)


def test_a_cut_shows_its_part_of_the_picture_at_any_scale() -> None:
    picture = gradient(400, 600)
    for side, pixels in ((300, 300), (300, 100), (300, 37), (100, 150)):
        cut = warp(Pyramid(picture), square_to_source(np.array([300.0, 200.0]), side, 0.0, pixels), pixels, pixels)
        middle = cut[pixels // 2, pixels // 2]
        assert middle[:2].astype(int) == pytest.approx([125, 125], abs=2)
        assert int(cut[-1, -1, 0]) - int(cut[0, 0, 0]) == pytest.approx(250 * side / 600, abs=4)


def test_a_turned_cut_and_a_straight_one_agree() -> None:
    pyramid = Pyramid(gradient(300, 300))
    straight = warp(pyramid, square_to_source(np.array([150.0, 150.0]), 90, 0.0, 60), 60, 60)
    barely = warp(pyramid, square_to_source(np.array([150.0, 150.0]), 90, 1e-9, 60), 60, 60)
    assert np.abs(straight.astype(int) - barely).max() <= 1


def test_a_cut_is_black_outside_of_the_picture() -> None:
    cut = warp(
        Pyramid(np.full((50, 50, 3), 200, np.uint8)), square_to_source(np.array([0.0, 0.0]), 40, 0.0, 40), 40, 40
    )
    assert cut[:18, :].max() == 0
    assert cut[25:, 25:].min() == 200


def test_fine_stripes_become_grey_when_they_are_shrunk() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.ptp(warp(Pyramid(stripes), square_to_source(np.array([128.0, 128.0]), 200, 0.3, 25), 25, 25)) <= 2


def test_a_picture_of_one_pixel_has_no_half_but_can_be_cut() -> None:
    assert halved(np.full((3, 2, 3), 9, np.uint8)).shape == (1, 1, 3)
    one = np.full((1, 1, 3), 9, np.uint8)
    assert warp(Pyramid(one), square_to_source(np.zeros(2), 8, 0.0, 2), 2, 2).shape == (2, 2, 3)


def test_a_chip_puts_the_points_where_the_network_wants_them() -> None:
    picture = np.zeros((300, 300, 3), np.uint8)
    points = MEAN_FACE * 80 + np.array([100, 90])
    for x, y in points.round().astype(int):
        picture[y - 1 : y + 2, x - 1 : x + 2] = 255
    cut = chip(Pyramid(picture), points)
    for x, y in ((MEAN_FACE + 0.25) / 1.5 * 150).round().astype(int):
        assert cut[y - 1 : y + 2, x - 1 : x + 2].max() > 200


def test_a_blurred_chip_is_less_sharp() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (150, 150, 3)).astype(np.uint8)
    small = warp(Pyramid(noise), square_to_source(np.array([75.0, 75.0]), 150, 0.0, 40), 40, 40)
    blurred = warp(Pyramid(small), square_to_source(np.array([20.0, 20.0]), 40, 0.0, 150), 150, 150)
    assert sharpness(blurred) < sharpness(noise) / 100


def test_the_pose_follows_the_nose() -> None:
    assert pose_degrees(STRAIGHT) == pytest.approx((0, 0, 0), abs=1)
    right, up = STRAIGHT.copy(), STRAIGHT.copy()
    right[2, 0] += 15
    up[2, 1] -= 12
    assert pose_degrees(right)[0] > 25
    assert pose_degrees(up)[1] > 20
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    assert pose_degrees(STRAIGHT @ turn.T) == pytest.approx((0, 0, np.degrees(0.5)), abs=1)
