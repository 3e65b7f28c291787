"""What is asked of a checkpoint, and what it is read into, whatever library it is of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import onnx

from model_zoo.errors import UsageError
from model_zoo.manifest import Input, Licence, TextInput
from model_zoo.values import Fit, Prediction, Tensor, Tensors

RANDOM = "random"

Kind = Literal["classifier", "detector", "texts"]


@dataclass(frozen=True, slots=True)
class Role:
    """What a role wants of a network."""

    kind: Kind
    decoder: str
    classes: int = 0  # 0: any number


ROLES: Mapping[str, Role] = {
    "labels.tagger": Role("classifier", "softmax_labels"),
    "moderation.nsfw_score": Role("classifier", "opennsfw", classes=2),
    "moderation.nsfw_classes": Role("classifier", "nsfwjs", classes=5),
    "moderation.body_parts": Role("detector", "nudenet"),
    "objects.detector": Role("detector", "nanodet"),
    "toxicity.classifier": Role("texts", "toxicity_scores"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says of a checkpoint."""

    what: str  # behind the colon: a constructor, an architecture, a folder
    weights: str  # a path, `random`, or nothing where `what` holds them
    role: str = ""
    labels: tuple[str, ...] = ()
    side: int = 0  # pixels; 0: the checkpoint's own
    fit: Fit | None = None
    mean: tuple[float, ...] = ()  # in 0..255 units; empty: the checkpoint's own
    std: tuple[float, ...] = ()
    seed: int = 0  # of random weights
    trusted: bool = False  # the file may be unpickled, which runs what is in it

    def file(self) -> Path:
        """Return the path of the weights; raises UsageError."""
        path = Path(self.weights)
        if not self.weights or not path.is_file():
            raise UsageError(f"--weights {self.weights or '(missing)'}: no such file; give a path, or `{RANDOM}`")
        return path

    def role_among(self, *known: str) -> str:
        """Return the role, by default the first of those a source can fill; raises UsageError."""
        role = self.role or known[0]
        if role not in known:
            raise UsageError(f"--role {role}: this checkpoint can be {', '.join(known)}")
        return role


@dataclass(frozen=True, slots=True)
class Network:
    """A checkpoint as a graph with its contract, and the library beside it to compare with."""

    title: str
    role: str
    model: onnx.ModelProto  # takes uint8 RGB (N, H, W, 3), or int64 (N, T); axis 0 of all outputs is the batch
    outputs: tuple[str, ...]  # as the role's decoder wants them
    taken: Input | TextInput
    labels: tuple[str, ...]
    licence: Licence
    library: str  # with its version
    answer: Callable[[Tensor], Tensors]  # the library's own network on the same rows: the same outputs
    says: Callable[[Tensor], Sequence[Prediction]] | None = None  # what the library's own post-processing makes of them
    origin: Path | None = None  # the file that holds the weights, where --weights does not name it
    beside: Mapping[str, bytes] = field(default_factory=dict)  # further files of the manifest, by name


class Source(Protocol):
    """One kind of checkpoint; a module of this folder has it under the name `read`."""

    def __call__(self, asked: Asked) -> Network:
        """Read a checkpoint; raises UsageError or WeightsError."""
        ...
