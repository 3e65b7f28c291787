"""Rows that a network is tried on: pictures from videos and images of a folder, windows of sound, lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from export.weights import folder_of
from model_zoo.errors import UsageError
from model_zoo.manifest import Input, ModelSpec, SoundInput
from model_zoo.ops.geometry import place
from model_zoo.toxicity.tokens import Ids, tokenizer
from model_zoo.values import Frames, Samples, SoundWindows, Tensor, Tensors, View

SUFFIXES = {".mp4", ".mkv", ".mov", ".webm", ".avi", ".jpg", ".jpeg", ".png", ".webp", ".wav", ".m4a", ".mp3"}
ANY_SIDE = {"width": 320, "height": 320}  # of networks that take any size
SECONDS_APART = 2.0  # of the frames of one video


@dataclass(frozen=True, slots=True)
class Texts:
    """A batch of lines of text, as numbers of words or of pieces of words."""

    ids: Ids  # (N, T)

    def __len__(self) -> int:
        return len(self.ids)


Rows = Frames | SoundWindows | Texts


def frames_of(folder: Path, spec: ModelSpec, most: int) -> Rows:
    """Return at most `most` rows as the domain gives them to the network, spread over the files of a folder."""
    if spec.text is not None:
        return Texts(tokenizer(spec, folder_of(spec))(_lines(folder, spec, most)))
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise UsageError(f"{folder}: no video, picture or sound in it to try {spec.name} on")
    if spec.sound is not None:
        return _windows(files, spec.sound, most)
    view = view_of(spec.sees())
    return _frames(files, view, most)


def feeds(spec: ModelSpec, rows: Rows) -> Tensors:
    """Return what every input of the file on disk is given for these rows."""
    if isinstance(rows, Frames):
        return {spec.sees().name: network_rows(spec, rows.pixels)}
    if isinstance(rows, SoundWindows):
        return {spec.hears().name: rows.samples}
    wanted = spec.reads()
    found = {wanted.name: rows.ids}
    if wanted.mask_name:
        found[wanted.mask_name] = (rows.ids != wanted.pad_id).astype(np.int64)
    if wanted.types_name:
        found[wanted.types_name] = np.zeros_like(rows.ids)
    return found


def network_rows(spec: ModelSpec, rows: Tensor) -> Tensor:
    """Turn uint8 RGB (N, H, W, 3), or sound, into what the file on disk takes, as the front in serving does."""
    wanted = spec.input
    if wanted is None or wanted.dtype == "uint8":
        return rows
    pixels = rows[..., ::-1] if wanted.colour == "BGR" else rows
    values = (pixels.astype(np.float32) - np.array(wanted.mean, np.float32)) / np.array(wanted.std, np.float32)
    ordered: Tensor = values.transpose(0, 3, 1, 2) if wanted.layout == "NCHW" else values
    return np.ascontiguousarray(ordered)


def view_of(wanted: Input) -> View:
    """Return how frames are delivered; networks of any size are tried at one."""
    sides = {"width": wanted.width or ANY_SIDE["width"], "height": wanted.height or ANY_SIDE["height"]}
    return View(**sides, fit=wanted.fit, crop_share=wanted.crop_share, anchor=wanted.anchor, pad=wanted.pad)


def _lines(folder: Path, spec: ModelSpec, most: int) -> list[str]:
    """Return lines of the .txt files of a folder, the first of each file, then the second, and so on."""
    texts = [path.read_text("utf-8", errors="replace").splitlines() for path in sorted(folder.rglob("*.txt"))]
    texts = [[line for line in lines if line.strip()] for lines in texts]
    rows = [lines[row] for row in range(max(map(len, texts), default=0)) for lines in texts if row < len(lines)]
    if not rows:
        raise UsageError(f"{folder}: no .txt file with text in it to try {spec.name} on")
    return rows[:most]


def _frames(files: list[Path], view: View, most: int) -> Frames:
    pictures: list[NDArray[np.uint8]] = []
    streams = [_pictures(path) for path in files]
    while streams and len(pictures) < most:  # one of each file in turn
        for stream in list(streams):
            picture = next(stream, None)
            if picture is None:
                streams.remove(stream)
            elif len(pictures) < most:
                pictures.append(_fitted(picture, view))
    if not pictures:
        raise UsageError("no picture could be read from the files; give a folder with videos or images")
    seconds = np.arange(len(pictures), dtype=np.float64)
    return Frames(np.stack(pictures), seconds, view, view.width, view.height)


def _pictures(path: Path) -> Iterator[av.VideoFrame]:
    """Yield a frame every few seconds."""
    try:
        with av.open(str(path)) as container:
            due = 0.0
            for frame in container.decode(video=0) if container.streams.video else ():
                if (frame.time or 0.0) >= due:
                    due = (frame.time or 0.0) + SECONDS_APART
                    yield frame
    except av.error.FFmpegError:
        return


def _fitted(frame: av.VideoFrame, view: View) -> NDArray[np.uint8]:
    placed = place(view, frame.width, frame.height)
    whole = frame.to_ndarray(format="rgb24", width=placed.scaled_width, height=placed.scaled_height)
    canvas = np.full((view.height, view.width, 3), view.pad, np.uint8)
    cut = whole[placed.crop_top :, placed.crop_left :][: placed.height, : placed.width]
    canvas[placed.top : placed.top + placed.height, placed.left : placed.left + placed.width] = cut
    return canvas


def _windows(files: list[Path], sound: SoundInput, most: int) -> SoundWindows:
    windows: list[Samples] = []
    for path in files:
        samples = _sound(path, sound.sample_rate)
        whole = len(samples) // sound.samples * sound.samples
        windows += list(samples[:whole].reshape(-1, sound.samples))
    if not windows:
        raise UsageError("no sound could be read from the files; give a folder with videos or sound")
    chosen = [windows[place] for place in np.linspace(0, len(windows) - 1, min(most, len(windows))).astype(int)]
    filled = np.full(len(chosen), sound.samples, np.intp)
    return SoundWindows(np.stack(chosen), np.arange(len(chosen), dtype=np.float64), filled, sound.sample_rate)


def _sound(path: Path, sample_rate: int) -> Samples:
    """Return the mono sound of a file, empty where there is none."""
    parts: list[NDArray[np.float32]] = [np.zeros(0, np.float32)]
    try:
        with av.open(str(path)) as container:
            resampler = AudioResampler("flt", "mono", sample_rate)
            for frame in container.decode(audio=0) if container.streams.audio else ():
                parts += [piece.to_ndarray().reshape(-1) for piece in resampler.resample(frame)]
    except av.error.FFmpegError:
        pass
    return np.concatenate(parts)
