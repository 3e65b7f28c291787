"""The recipe that most domains share: run one model on sampled frames, and let its decoder read the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from model_zoo.domain import Start
from model_zoo.errors import ManifestError
from model_zoo.manifest import ModelSpec
from model_zoo.values import Frames, Prediction, Tensors, Watcher

Decoder = Callable[[Tensors, ModelSpec, Frames], Sequence[Prediction]]  # outputs of the frames -> one row per frame


def watch(start: Start, role: str, decoders: Mapping[str, Decoder]) -> Watcher:
    """Return a watcher that runs the role's model; raises ManifestError for one that the domain cannot use."""
    spec, model = start.models[role].spec, start.models[role].model
    if spec.decoder not in decoders:
        raise ManifestError(
            f"[{spec.name}] decoder {spec.decoder!r} is not one of {spec.domain}'s: {', '.join(decoders)}"
        )
    decode, taken = decoders[spec.decoder], spec.input
    if taken is None:
        raise ManifestError(f"[{spec.name}] needs the table `input`: {spec.domain}.{role} is given pictures")

    def predict(frames: Frames) -> Sequence[Prediction]:
        return decode(model.run({taken.name: frames.rows}), spec, frames)

    return Watcher(role, taken.view(), start.interval_seconds, predict, rows_only=True)
