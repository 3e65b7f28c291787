"""The recipe for domains that hear: run one model on windows of sound, and let its decoder read the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from model_zoo.domain import Start
from model_zoo.errors import ManifestError
from model_zoo.manifest import ModelSpec
from model_zoo.values import Listener, Prediction, SoundWindows, Tensors

Decoder = Callable[[Tensors, ModelSpec, SoundWindows], Sequence[Prediction]]  # outputs -> one row per window


def listen(start: Start, role: str, decoders: Mapping[str, Decoder]) -> Listener:
    """Return a listener that runs the role's model; raises ManifestError for one that the domain cannot use."""
    spec, model = start.models[role].spec, start.models[role].model
    if spec.decoder not in decoders:
        raise ManifestError(
            f"[{spec.name}] decoder {spec.decoder!r} is not one of {spec.domain}'s: {', '.join(decoders)}"
        )
    decode, taken = decoders[spec.decoder], spec.hears()

    def hear(windows: SoundWindows) -> Sequence[Prediction]:
        return decode(model.run({taken.name: windows.samples}), spec, windows)

    return Listener(role, taken.sample_rate, taken.window_seconds, taken.hop_seconds, hear)
