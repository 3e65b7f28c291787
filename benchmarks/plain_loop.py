"""What the server is compared with: decode, scale, one batch after another through ONNX Runtime; nothing around it."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import av
import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model_zoo.domains import by_name
from model_zoo.manifest import ModelSpec
from model_zoo.weights import WeightPlaces, ensure
from serve.backends.front import with_uint8_front
from serve.models import choose_models
from serve.settings import load_settings

BATCH = 32


class PlainLoop:
    """The models of one domain on one picture, again and again."""

    def __init__(self, domain: str, picture: bytes) -> None:
        """Load the domain's models, each in one session of all cores."""
        settings = load_settings(domains=domain)
        places = WeightPlaces(settings.model_dir, settings.cache, settings.offline)
        specs = choose_models((by_name(domain),), settings).values()
        self._models = [(spec, _session(spec, places)) for spec in specs]
        self._picture = picture

    def run(self, pictures: int, decoders: int) -> int:
        """Decode and run `pictures` pictures, and return how many."""
        with ThreadPoolExecutor(decoders) as pool:
            for start in range(0, pictures, BATCH):
                rows = list(pool.map(self._views, range(min(BATCH, pictures - start))))
                for number, (spec, session) in enumerate(self._models):
                    assert spec.input is not None
                    session.run(None, {spec.input.name: np.stack([views[number] for views in rows])})
        return pictures

    def _views(self, _number: int) -> list[NDArray[np.uint8]]:
        with av.open(io.BytesIO(self._picture)) as container:
            frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
        return [_scaled(frame, spec) for spec, _ in self._models]


def _scaled(frame: NDArray[np.uint8], spec: ModelSpec) -> NDArray[np.uint8]:
    assert spec.input is not None
    size = (spec.input.width, spec.input.height)
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _session(spec: ModelSpec, places: WeightPlaces) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(
        with_uint8_front(spec, ensure(spec, places)), providers=["CPUExecutionProvider"]
    )
