"""What rows that stay on the device must do, for whoever waits for them or copies them: on a stand-in, and on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from model_zoo.values import OnDevice, View
from serve.decode.jobs import Colours, Finish, Layout, Surface, row_bytes
from serve.decode.paint import Block, GpuPainter, Painter
from tests.twin import HostBlock, HostPainter, paint_with_numpy
from tests.unit.test_paint import facts

WIDTH, HEIGHT, ROWS, ROOM = 640, 360, 5, 8
VIEW = View(64, 48, "letterbox")
ROW_BYTES = row_bytes(VIEW, Finish())
PAINTED_BEFORE = 20_000  # so that a GPU is still at work when the rows are handed over: some thousandths of a second


@dataclass(frozen=True, slots=True)
class Device:
    """A place to paint in, a second stream there, and what fills its memory."""

    painter: Painter
    stream: int
    done: Callable[[], None]  # waits for the second stream
    upload: Callable[[np.ndarray], Block]

    def empty(self, rows: int) -> Block:
        """Return memory for rows, all zeros."""
        return self.upload(np.zeros(rows * ROW_BYTES, np.uint8))

    def read(self, block: Block, rows: int) -> np.ndarray:
        """Return rows, without waiting for the second stream."""
        return self.painter.fetch(block, (rows, VIEW.height, VIEW.width, 3))


def on_host() -> Device:
    def upload(content: np.ndarray) -> HostBlock:
        block = HostBlock(content.nbytes)
        block.array[:] = content.reshape(-1)
        return block

    return Device(HostPainter(), 1, lambda: None, upload)


def on_gpu() -> Device:
    import cupy

    from benchmarks.gpu_here import upload

    stream: Any = cupy.cuda.Stream(non_blocking=True)
    return Device(GpuPainter(), int(stream.ptr), stream.synchronize, upload)


@pytest.fixture(params=[on_host, pytest.param(on_gpu, marks=pytest.mark.gpu)], ids=["stand-in", "gpu"])
def device(request: pytest.FixtureRequest) -> Device:
    found: Device = request.param()
    return found


@dataclass(frozen=True, slots=True)
class Given:
    """Rows as a decoder hands them over, and what they must be."""

    rows: OnDevice
    pixels: np.ndarray


@pytest.fixture
def given(device: Device) -> Iterator[Given]:
    noise = np.random.default_rng(7).integers(0, 256, (ROWS, HEIGHT * 3 // 2, WIDTH), np.uint8)
    layout = Layout(VIEW, facts(WIDTH, HEIGHT), Colours(1, full_range=False), Finish())
    expected = np.zeros((ROWS, VIEW.height, VIEW.width, 3), np.uint8)
    there = [device.upload(one) for one in noise]
    block, scratch = device.empty(ROOM), device.empty(1)
    before = PAINTED_BEFORE if isinstance(device.painter, GpuPainter) else 1
    device.painter.paint(np.repeat(layout.job(surface(there[0].address), scratch.address), before))
    for number in range(ROWS):
        target = expected.ctypes.data + number * ROW_BYTES
        paint_with_numpy(layout.job(surface(noise[number].ctypes.data), target))
    for number, one in enumerate(there):
        device.painter.paint(layout.job(surface(one.address), block.address + number * ROW_BYTES))
    rows = device.painter.hand_over(block, expected.shape)
    yield Given(rows, expected)
    rows.wait(None)  # what is still read must not be let go


def surface(base: int) -> Surface:
    return Surface(base, base + WIDTH * HEIGHT, WIDTH, WIDTH, WIDTH, HEIGHT, wide=False)


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    """Compare as the painting kernel is compared with its twin."""
    return bool(np.abs(found.astype(int) - expected.astype(int)).max() <= 2)


def test_rows_say_what_they_are(device: Device, given: Given) -> None:
    assert (len(given.rows), given.rows.shape, given.rows.dtype) == (ROWS, (ROWS, 48, 64, 3), np.uint8)
    assert given.rows.room == ROOM


def test_a_stream_that_waits_copies_rows_that_are_painted(device: Device, given: Given) -> None:
    target = device.empty(ROWS)
    given.rows.wait(device.stream)
    given.rows.copy(0, ROWS, target.address, device.stream)
    device.done()
    assert same(device.read(target, ROWS), given.pixels)


def test_who_waits_without_a_stream_copies_rows_that_are_painted(device: Device, given: Given) -> None:
    target = device.empty(ROWS)
    given.rows.wait(None)
    given.rows.copy(0, ROWS, target.address, None)
    assert same(device.read(target, ROWS), given.pixels)


@pytest.mark.parametrize(("first", "count"), [(0, 1), (1, 3), (4, 1), (2, 6)])
def test_a_part_is_copied_to_where_it_belongs_and_nothing_beside_it(
    device: Device, given: Given, first: int, count: int
) -> None:
    target = device.empty(ROOM + 1)
    given.rows.wait(device.stream)
    given.rows.copy(first, count, target.address, device.stream)
    device.done()
    found = device.read(target, ROOM + 1)
    painted = min(count, ROWS - first)
    assert same(found[:painted], given.pixels[first : first + painted])
    assert not found[count:].any()


def test_the_host_is_given_the_rows_once_however_often_it_asks(device: Device, given: Given) -> None:
    pixels = given.rows.on_host()
    assert same(pixels, given.pixels)
    assert np.array_equal(pixels, given.rows.on_host())
