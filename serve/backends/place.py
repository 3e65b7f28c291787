"""What is asked of where a model runs, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model_zoo.precisions import Precision
from model_zoo.values import Model
from model_zoo.weights import WeightPlaces

Device = Literal["auto", "cpu", "cuda"]
TensorrtUse = Literal["off", "auto", "provider", "plan"]
WantedPrecision = Literal["auto", "fp32", "fp16", "int8"]


@dataclass(frozen=True, slots=True)
class Placed:
    """A loaded model, and where it runs for which reason."""

    model: Model
    backend: str
    device: str
    reason: str
    precision: str = "fp32"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the settings say of where models run."""

    places: WeightPlaces  # where exported precisions and engines lie, too
    device: Device = "auto"
    backend: str = "auto"
    memory_share: float = 0.7  # of a GPU's memory that all models together may hold
    graphs: bool = False
    models: int = 1  # that share it
    tensorrt: TensorrtUse = "auto"
    precision: WantedPrecision = "auto"

    def most_bytes(self, memory_bytes: int) -> int:
        """Return how much of a GPU's memory one model may hold."""
        return int(memory_bytes * self.memory_share / max(1, self.models))


@dataclass(frozen=True, slots=True)
class Source:
    """The file that is run: the weights, or another precision of them."""

    path: Path
    precision: Precision
    reason: str  # empty where it is what anybody expects
