"""The real pictures that every conversion is checked on, fitted the way its upstream fits them."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_zoo.errors import UsageError

Picture = NDArray[np.uint8]  # (H, W, 3) RGB


def pictures_folder(description: str, usual: str = "tests/media/images") -> Path:
    """Read the recipe's one option, `--pictures DIR`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--pictures", type=Path, default=Path(usual), metavar="DIR")
    folder: Path = parser.parse_args().pictures
    if not folder.is_dir():
        raise UsageError(f"--pictures {folder} is not a folder; give one with JPEG or PNG pictures")
    return folder


def pictures(folder: Path) -> dict[str, Picture]:
    """Read every JPEG and PNG of a folder, by file name, in the order of their names."""
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in {".jpg", ".jpeg", ".png"})
    if not files:
        raise UsageError(f"{folder} holds no JPEG or PNG; give another folder with --pictures")
    return {file.name: np.asarray(Image.open(file).convert("RGB")) for file in files}


def stretched(picture: Picture, side: int) -> Picture:
    """Resize to a square without keeping the aspect ratio."""
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR))


def covered(picture: Picture, side: int, crop_share: float) -> Picture:
    """Cut the central square that takes `crop_share` of the shorter side, and resize it."""
    height, width = picture.shape[:2]
    cut = crop_share * min(height, width)
    box = ((width - cut) / 2, (height - cut) / 2, (width + cut) / 2, (height + cut) / 2)
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC, box))


def letterboxed(picture: Picture, side: int) -> tuple[Picture, float, tuple[float, float]]:
    """Fit into a black square, centred; return it with the scale and the left and top margin in pixels."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    fitted = (round(width * scale), round(height * scale))
    left, top = (side - fitted[0]) // 2, (side - fitted[1]) // 2
    square = np.zeros((side, side, 3), np.uint8)
    resized = Image.fromarray(picture).resize(fitted, Image.Resampling.BILINEAR)
    square[top : top + fitted[1], left : left + fitted[0]] = np.asarray(resized)
    return square, scale, (float(left), float(top))
