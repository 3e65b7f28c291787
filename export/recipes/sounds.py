"""The real sounds that conversions of sound models are checked on."""

from __future__ import annotations

import argparse
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from model_zoo.errors import UsageError

RATE = 16_000
SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".mp4"}


def sounds_folder(description: str) -> Path:
    """Read the recipe's one option, `--sounds DIR`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--sounds", type=Path, default=Path("tests/media/speech"), metavar="DIR")
    folder: Path = parser.parse_args().sounds
    if not folder.is_dir():
        raise UsageError(f"--sounds {folder} is not a folder; give one with sound files")
    return folder


def sounds(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Read every sound file of a folder as mono, 16 kHz, -1..1, by file name, in the order of their names."""
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise UsageError(f"{folder} holds no sound file; give another folder with --sounds")
    return {file.name: sound(file) for file in files}


def sound(file: Path) -> NDArray[np.float32]:
    """Read one sound file as mono, 16 kHz, -1..1."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    with av.open(str(file)) as container:
        parts = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        parts += resampler.resample(None)
    return np.concatenate([part.to_ndarray().ravel() for part in parts]).astype(np.float32)
