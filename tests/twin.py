"""The twin of the painting kernel, in NumPy and float64: the same pictures by another way, in memory of the host.

A side is scaled by a matrix (places of the picture x samples of the plane): a plane becomes `down @ plane @ across.T`.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serve.decode.jobs import JOB, KINDS, Jobs
from serve.decode.paint import SOURCE

Matrix = NDArray[np.float64]
COMPILER = shutil.which("g++") or shutil.which("clang++")
_TYPES = {"uint8 NHWC": np.uint8, "float16 NCHW": np.float16, "float32 NCHW": np.float32}


def at(address: int, shape: Sequence[int], dtype: Any, strides: Sequence[int] | None = None) -> NDArray[Any]:
    """View the host's memory at an address."""
    size = int(np.dtype(dtype).itemsize)
    steps = strides or [size * int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]
    extent = sum((length - 1) * step for length, step in zip(shape, steps, strict=True)) + size
    buffer = (ctypes.c_uint8 * extent).from_address(address)
    return np.ndarray(shape, dtype, buffer, strides=steps)


@cache
def side(places: int, pixels: int, samples: int, *, halved: bool, offset: float) -> Matrix:
    """Return (places, samples) for one side of a plane; colour has half the samples, `offset` samples aside."""
    factor = 0.5 if halved else 1.0
    length = factor * pixels / places
    matrix = np.zeros((places, samples))
    for place in range(places):
        start = place * length + offset
        if length <= 1.0:
            centre = start + length / 2 - 0.5
            before = int(np.floor(centre + 1e-4))
            share = max(0.0, centre - before)
            parts = [(before, 1.0 - share), (before + 1, share)]
        else:
            first, last = int(np.floor(start + 1e-4)), int(np.floor(start + length - 1e-4))
            parts = [
                (number, (min(start + length, number + 1) - max(start, number)) / length)
                for number in range(first, last + 1)
            ]
        for number, weight in parts:
            matrix[place, np.clip(number, 0, samples - 1)] += weight
    return matrix


def paint_with_numpy(jobs: Jobs) -> None:
    """Do what the kernel does."""
    for job in jobs:
        row = _row(job)
        kind = KINDS[job["kind"]]
        height, width = int(job["row_height"]), int(job["row_width"])
        if kind == "uint8 NHWC":
            at(int(job["row"]), (height, width, 3), np.uint8)[:] = np.floor(row + 0.5)
            continue
        planes = ((row - job["mean"]) / job["deviation"]).transpose(2, 0, 1)
        at(int(job["row"]), (3, height, width), _TYPES[kind])[:] = planes


def _row(job: Any) -> NDArray[np.float64]:
    """Return the row (H, W, 3) before it is normalised, 0..255, in the order of its channels."""
    stored = np.full((job["scaled_height"], job["scaled_width"], 3), float(job["pad"]))
    top, left = job["inner_top"], job["inner_left"]
    stored[top : top + job["inner_height"], left : left + job["inner_width"]] = _picture(job)
    if job["flip_x"]:
        stored = stored[:, ::-1]
    if job["flip_y"]:
        stored = stored[::-1]
    upright = stored.transpose(1, 0, 2) if job["swap"] else stored
    row = np.full((job["row_height"], job["row_width"], 3), float(job["pad"]))
    height, width = job["bottom"] - job["top"], job["right"] - job["left"]
    down, across = job["crop_top"], job["crop_left"]
    row[job["top"] : job["bottom"], job["left"] : job["right"]] = upright[down : down + height, across : across + width]
    return row[:, :, ::-1] if job["blue_first"] else row


def _picture(job: Any) -> NDArray[np.float64]:
    """Return the whole surface scaled, red, green and blue (H, W, 3)."""
    width, height = int(job["width"]), int(job["height"])
    half_width, half_height = (width + 1) // 2, (height + 1) // 2
    item, kind = (2, np.uint16) if job["wide"] else (1, np.uint8)
    luma = at(int(job["luma"]), (height, width), kind, (int(job["luma_pitch"]), item))
    chroma = at(int(job["chroma"]), (half_height, half_width, 2), kind, (int(job["chroma_pitch"]), 2 * item, item))
    share = 256.0 if job["wide"] else 1.0
    across, down = int(job["inner_width"]), int(job["inner_height"])
    y = (
        side(down, height, height, halved=False, offset=0)
        @ (luma / share)
        @ side(across, width, width, halved=False, offset=0).T
    )
    rows = side(down, height, half_height, halved=True, offset=0)
    columns = side(across, width, half_width, halved=True, offset=0.25).T
    u, v = (rows @ (chroma[..., channel] / share) @ columns - 128 for channel in (0, 1))
    y = (y - job["luma_offset"]) * job["luma_scale"]
    rgb = np.stack([y + job["red_v"] * v, y + job["green_u"] * u + job["green_v"] * v, y + job["blue_u"] * u], axis=-1)
    return rgb.clip(0, 255)


class HostBlock:
    """Memory of the host."""

    def __init__(self, size: int) -> None:
        self.array = np.zeros(size, np.uint8)
        self.address = self.array.ctypes.data


class HostRows:
    """Rows in a stand-in's memory: nothing is in them until somebody waits, and anything once they were let go."""

    dtype = np.dtype(np.uint8)

    def __init__(self, block: HostBlock, shape: tuple[int, ...]) -> None:
        self.shape, self.address = shape, block.address
        self.room = len(block.array) // int(np.prod(shape[1:]))
        self.fetched = 0
        self._painted, self._block = block.array.copy(), block
        self._ready = False
        block.array.fill(0)
        weakref.finalize(self, block.array.fill, 255)

    def __len__(self) -> int:
        return self.shape[0]

    def wait(self, stream: int | None) -> None:
        """Let the rows appear."""
        if not self._ready:
            self._block.array[:] = self._painted
            self._ready = True

    def copy(self, first: int, count: int, address: int, stream: int | None) -> None:
        """Copy rows to another place in memory."""
        size = int(np.prod(self.shape[1:]))
        at(address, (count * size,), np.uint8)[:] = self._block.array[first * size : (first + count) * size]

    def on_host(self) -> NDArray[np.uint8]:
        """Return the rows."""
        self.fetched += 1
        self.wait(None)
        return self._block.array[: int(np.prod(self.shape))].reshape(self.shape).copy()


class HostPainter:
    """A painter whose memory and arithmetic are the host's; `given` has what it handed over and is still kept."""

    stream = 1
    context = 2

    def __init__(self) -> None:
        self.given: weakref.WeakSet[HostRows] = weakref.WeakSet()

    def paint(self, jobs: Jobs) -> None:
        """Paint with the kernel compiled for the host, or with the twin where there is no compiler."""
        host_paint()(jobs)

    def allocate(self, size: int) -> HostBlock:
        """Return so many bytes of the host's memory."""
        return HostBlock(size)

    def fetch(self, block: HostBlock, shape: Sequence[int]) -> NDArray[np.uint8]:
        """Return a copy of the first bytes of a block."""
        return block.array[: int(np.prod(shape))].reshape(shape).copy()

    def hand_over(self, block: HostBlock, shape: tuple[int, ...]) -> HostRows:
        """Give a block away."""
        rows = HostRows(block, shape)
        self.given.add(rows)
        return rows


@cache
def host_paint() -> Callable[[Jobs], None]:
    """Return the kernel as a function of jobs: its source compiled as C++, or its twin."""
    if COMPILER is None:
        return paint_with_numpy
    library = Path(tempfile.mkdtemp(prefix="reelwarden-"), "paint.so")
    subprocess.run(
        [COMPILER, "-x", "c++", "-std=c++14", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, SOURCE],
        check=True,
    )
    loaded = ctypes.CDLL(str(library))
    shutil.rmtree(library.parent)
    assert loaded.job_bytes() == JOB.itemsize

    def paint(jobs: Jobs) -> None:
        told = np.ascontiguousarray(jobs)
        loaded.paint(ctypes.c_void_p(told.ctypes.data), len(told))

    return paint
