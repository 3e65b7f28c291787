"""Engines are built for the shapes that come."""

from __future__ import annotations

from model_zoo.engines.shapes import served_shapes
from model_zoo.manifest import Batch, TextInput
from tests.contract.test_every_backend import sound_spec, spec_of, spec_that_takes


def test_shapes_reach_from_one_row_to_the_manifests_most() -> None:
    spec = spec_of().model_copy(update={"batch": Batch(best=4, most=32)})
    assert served_shapes(spec).text() == "1x8x8x3:8x8x8x3:32x8x8x3"
    wide = spec_of(width=0, any_side=(64, 320, 1600)).model_copy(update={"batch": Batch(best=16, most=16)})
    assert served_shapes(wide).text() == "1x8x64x3:16x8x320x3:16x8x1600x3"
    assert served_shapes(sound_spec()).text() == "1x100:8x100:32x100"
    text = TextInput(name="ids", tokenizer="wordpiece", vocabulary_file="vocab.txt", most_tokens=128)
    assert served_shapes(spec_that_takes(text=text)).text() == "1x1:8x128:32x128"


def test_a_shape_outside_is_told_from_one_inside() -> None:
    shapes = served_shapes(spec_of(width=0, any_side=(64, 320, 1600)))
    assert shapes.holds((3, 8, 1600, 3))
    assert not shapes.holds((3, 8, 1601, 3))
    assert not shapes.holds((33, 8, 64, 3))
    assert not shapes.holds((3, 8, 64))
