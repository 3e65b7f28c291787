"""The painting kernel: its source, compiled for the host, gives what its NumPy twin gives; for GPUs it compiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from model_zoo.report import VideoFacts
from model_zoo.values import View
from serve.decode.jobs import Colours, Finish, Jobs, Kind, Layout, Surface, row_bytes
from serve.decode.paint import KERNEL, SOURCE
from tests.twin import COMPILER, at, host_paint, paint_with_numpy

BT709 = Colours(space=1, full_range=False)
Paint = Callable[[Jobs], None]
ARCHITECTURES = (75, 80, 86, 89, 90)


@pytest.fixture(scope="module")
def paint() -> Paint:
    if COMPILER is None:
        pytest.skip("NO C++ COMPILER: the painting kernel is NOT compared with its twin on this machine")
    return host_paint()


def facts(width: int = 64, height: int = 48, rotation: int = 0, mirrored: bool = False) -> VideoFacts:
    upright = (height, width) if rotation in (90, 270) else (width, height)
    return VideoFacts(
        stream_index=0,
        codec="h264",
        width=upright[0],
        height=upright[1],
        coded_width=width,
        coded_height=height,
        rotation_degrees=rotation,
        mirrored=mirrored,
        sample_aspect_ratio="1:1",
        frame_rate=25.0,
        start_seconds=0.0,
    )


class Noise:
    """A surface of random numbers; keeps its memory."""

    def __init__(self, width: int, height: int, *, wide: bool = False, flat: Sequence[int] = ()) -> None:
        random = np.random.default_rng(width * height)
        pitch = -(-width // 32) * 32 + 32
        lines = height + (height + 1) // 2
        self.memory = random.integers(0, 65536 if wide else 256, (lines, pitch), np.uint16 if wide else np.uint8)
        if flat:
            self.memory[:height] = flat[0]
            self.memory[height:, 0::2], self.memory[height:, 1::2] = flat[1], flat[2]
        base, step = self.memory.ctypes.data, self.memory.strides[0]
        self.surface = Surface(base, base + height * step, step, step, width, height, wide)


def rows(paint: Paint, layout: Layout, surfaces: list[Noise], view: View, finish: Finish) -> np.ndarray:
    size = row_bytes(view, finish)
    memory = np.full(size * len(surfaces), 77, np.uint8)
    jobs = [layout.job(noise.surface, memory.ctypes.data + number * size) for number, noise in enumerate(surfaces)]
    paint(np.concatenate(jobs))
    if finish.kind == "uint8 NHWC":
        return memory.reshape(len(surfaces), view.height, view.width, 3).astype(np.float32)
    kind = np.float16 if finish.kind.startswith("float16") else np.float32
    return memory.view(kind).reshape(len(surfaces), 3, view.height, view.width).astype(np.float32)


VIEWS = {
    "the same size": View(64, 48),
    "smaller": View(20, 17),
    "much smaller": View(5, 4),
    "larger": View(150, 100),
    "one side larger": View(100, 12),
    "letterbox": View(40, 40, "letterbox", pad=114),
    "letterbox, top left": View(31, 77, "letterbox", anchor="top_left", pad=7),
    "cover": View(24, 24, "cover", crop_share=0.875),
    "cropped stretch": View(24, 30, "stretch", crop_share=0.7),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_host_kernel_and_twin_agree_within_2_steps_of_255(
    paint: Paint, view: View, rotation: int, mirrored: bool
) -> None:
    layout, finish = Layout(view, facts(rotation=rotation, mirrored=mirrored), BT709, Finish()), Finish()
    surfaces = [Noise(64, 48), Noise(64, 48)]
    difference = rows(paint, layout, surfaces, view, finish) - rows(paint_with_numpy, layout, surfaces, view, finish)
    assert np.abs(difference).max() <= 2


@pytest.mark.parametrize("size", [(63, 47), (33, 21), (320, 180), (96, 65)])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("space", [1, 2, 5, 9])
@pytest.mark.parametrize("full_range", [False, True])
def test_they_agree_for_odd_sizes_16_bit_samples_and_every_colour_space(
    paint: Paint, size: tuple[int, int], wide: bool, space: int, full_range: bool
) -> None:
    view = View(29, 31, "letterbox")
    layout = Layout(view, facts(*size), Colours(space, full_range), Finish())
    surfaces = [Noise(*size, wide=wide)]
    difference = rows(paint, layout, surfaces, view, Finish()) - rows(
        paint_with_numpy, layout, surfaces, view, Finish()
    )
    assert np.abs(difference).max() <= 2


@pytest.mark.parametrize("kind", ["float16 NCHW", "float32 NCHW"])
@pytest.mark.parametrize("blue_first", [False, True])
def test_they_agree_for_normalised_planes(paint: Paint, kind: Kind, blue_first: bool) -> None:
    finish = Finish(kind, blue_first, mean=(104.0, 117.0, 123.0), deviation=(58.0, 57.0, 57.5))
    view = View(30, 20)
    layout, surfaces = Layout(view, facts(), BT709, finish), [Noise(64, 48)]
    difference = rows(paint, layout, surfaces, view, finish) - rows(paint_with_numpy, layout, surfaces, view, finish)
    assert np.abs(difference).max() * 58 <= 2


def test_a_surface_of_another_size_is_fitted_whole_into_the_first_ones_place(paint: Paint) -> None:
    view = View(64, 48, pad=3)
    layout, surfaces = Layout(view, facts(), BT709, Finish()), [Noise(48, 64)]
    painted = rows(paint, layout, surfaces, view, Finish())
    assert np.abs(painted - rows(paint_with_numpy, layout, surfaces, view, Finish())).max() <= 2
    assert (painted[0, :, :14] == 3).all()
    assert painted[0, :, 20:40].std() > 10


COLOURS = {  # Y, U, V of limited range -> red, green, blue; ITU-R BT.601-7, BT.709-6 and BT.2020-2, rounded
    (1, 235, 128, 128): (255, 255, 255),
    (1, 16, 128, 128): (0, 0, 0),
    (1, 63, 102, 240): (255, 0, 0),
    (1, 173, 42, 26): (0, 255, 0),
    (1, 32, 240, 118): (0, 0, 255),
    (5, 82, 90, 240): (255, 0, 0),
    (5, 145, 54, 34): (0, 255, 0),
    (5, 41, 240, 110): (0, 0, 255),
    (9, 74, 97, 240): (255, 0, 0),
    (9, 29, 240, 119): (0, 0, 255),
}


@pytest.mark.parametrize("told", COLOURS, ids=str)
def test_the_primary_colours_of_each_standard_come_out(paint: Paint, told: tuple[int, int, int, int]) -> None:
    view, noise = View(16, 12), Noise(64, 48, flat=told[1:])
    layout = Layout(view, facts(), Colours(told[0], full_range=False), Finish())
    for each in (paint, paint_with_numpy):
        painted = rows(each, layout, [noise], view, Finish())
        assert np.abs(painted - np.array(COLOURS[told])).max() <= 2


def test_streams_that_do_not_say_are_taken_by_their_lines() -> None:
    unsaid = Colours(space=2, full_range=False)
    assert unsaid.coefficients(1080) == replace(unsaid, space=1).coefficients(1080)
    assert unsaid.coefficients(480) == replace(unsaid, space=5).coefficients(480)


def test_the_kernel_does_not_write_beside_its_row(paint: Paint) -> None:
    view, finish = View(13, 7), Finish()
    memory = np.full(3 * row_bytes(view, finish), 77, np.uint8)
    noise = Noise(64, 48)
    paint(Layout(view, facts(), BT709, finish).job(noise.surface, memory.ctypes.data + row_bytes(view, finish)))
    written = at(memory.ctypes.data, (3, row_bytes(view, finish)), np.uint8)
    assert (written[[0, 2]] == 77).all()
    assert (written[1] != 77).any()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_compiles_to_machine_code_of_every_gpu_we_name(architecture: int) -> None:
    from tests.nvrtc import machine_code

    code, log = machine_code(SOURCE.read_text("utf-8"), architecture)
    assert code[:4] == b"\x7fELF"
    assert KERNEL.encode() in code
    assert not log.strip()


def test_a_mistake_in_it_would_be_found() -> None:
    from tests.nvrtc import machine_code

    with pytest.raises(ValueError, match="undefined"):
        machine_code(SOURCE.read_text("utf-8").replace("half_bits(value)", "no_such(value)"), 75)
