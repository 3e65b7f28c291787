"""What torch networks that see have in common: the front of their graphs, their ends, and the library's own answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torchvision
from torch import nn

from export.sources.network import ROLES, Asked, Network
from export.sources.torch_graph import Composed, answering, as_onnx
from model_zoo.errors import UsageError
from model_zoo.labels.names import shown_labels
from model_zoo.labels.postprocess import MOST_LABELS
from model_zoo.labels.postprocess import RULE as LABEL_RULE
from model_zoo.manifest import Input, Licence, load
from model_zoo.moderation.postprocess import LEAST_PART_SCORE, MOST_PART_OVERLAP, NSFWJS_LABELS, OPENNSFW_LABELS
from model_zoo.objects.postprocess import MOST_BOXES, MOST_OVERLAP, SAME_THING
from model_zoo.objects.postprocess import RULE as OBJECT_RULE
from model_zoo.values import Box, Prediction, Tensor

PIXELS = "pixels"
TAGGER_ROLES = ("labels.tagger", "moderation.nsfw_score", "moderation.nsfw_classes")
DETECTOR_ROLES = ("objects.detector", "moderation.body_parts")
ROLE_LABELS: Mapping[str, Sequence[str]] = {
    "moderation.nsfw_score": OPENNSFW_LABELS,
    "moderation.nsfw_classes": NSFWJS_LABELS,
}

Spread = tuple[Sequence[float], Sequence[float]]  # mean and standard deviation, in 0..255 units
Steps = Callable[[nn.Module, torch.Tensor], Any]
Found = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # of one picture: boxes (M, 4), scores (M,), classes (M,)


def normalised(pixels: torch.Tensor, spread: Spread) -> torch.Tensor:
    """Turn uint8 RGB into what a network was trained on: (N, H, W, 3) -> (N, 3, H, W)."""
    mean, std = (torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1) for values in spread)
    return (pixels.permute(0, 3, 1, 2).to(torch.float32) - mean) / std


@dataclass(frozen=True, slots=True)
class Sight:
    """A network that sees, and what is known of it."""

    network: nn.Module
    taken: Input
    spread: Spread
    labels: Sequence[str]
    title: str
    licence: Licence
    library: str


def tagger(asked: Asked, sight: Sight, logits: Steps, own: Callable[[torch.Tensor], torch.Tensor]) -> Network:
    """Return a network that names pictures, by scores that add up to 1; `own` is the library's way to logits."""
    role = asked.role_among(*TAGGER_ROLES)
    wanted = ROLES[role].classes
    if wanted and wanted != len(sight.labels):
        raise UsageError(f"--role {role}: it wants {wanted} classes, this checkpoint has {len(sight.labels)}")
    names = _shown(sight.labels) if role == "labels.tagger" else ROLE_LABELS[role]

    def steps(inside: nn.Module, rows: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = logits(inside, normalised(rows, sight.spread)).softmax(1)
        return scores

    def says(rows: Tensor) -> list[Prediction]:
        with torch.no_grad():
            scores = own(torch.from_numpy(rows)).softmax(1)
        return [_named(second, row, names, role) for second, row in enumerate(scores)]

    return _network(sight, role, steps, ("scores",), says)


def detector(
    asked: Asked, sight: Sight, scores_and_boxes: Steps, own: Callable[[torch.Tensor, float, float], list[Found]]
) -> Network:
    """Return a network that finds things: scores (N, A, K) and boxes (N, A, 4) as x1, y1, x2, y2 in input pixels.

    `own` is the library's way from pixels to boxes with a least score and a most overlap; for `moderation.body_parts`
    no overlap is too much for it, since there boxes of all classes push each other out.
    """
    role = asked.role_among(*DETECTOR_ROLES)
    parts = role == "moderation.body_parts"

    def steps(inside: nn.Module, rows: torch.Tensor) -> Any:
        scores, boxes = scores_and_boxes(inside, normalised(rows, sight.spread))
        return _parts(scores, boxes) if parts else (scores, boxes)

    def says(rows: Tensor) -> list[Prediction]:
        least, most_overlap = (LEAST_PART_SCORE, 1.0) if parts else (OBJECT_RULE.close_below, MOST_OVERLAP)
        with torch.no_grad():
            found = own(torch.from_numpy(rows), least, most_overlap)
        united = _one_class_each if parts else _one_name_each
        return [_boxed(second, _inside(united(*one), sight.taken), sight.labels) for second, one in enumerate(found)]

    return _network(sight, role, steps, ("parts",) if parts else ("scores", "boxes"), says)


def _network(
    sight: Sight, role: str, steps: Steps, outputs: tuple[str, ...], says: Callable[[Tensor], list[Prediction]]
) -> Network:
    module = Composed(sight.network, steps)
    row = torch.zeros(sight.taken.height, sight.taken.width, 3, dtype=torch.uint8)
    return Network(
        title=sight.title,
        role=role,
        model=as_onnx(module, row, PIXELS, outputs),
        outputs=outputs,
        taken=sight.taken,
        labels=tuple(sight.labels),
        licence=sight.licence,
        library=sight.library,
        answer=answering(module, outputs),
        says=says,
    )


def _parts(scores: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Lay scores and boxes as the decoder of body parts reads them: (N, A, K), (N, A, 4) -> (N, 4 + K, A)."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(low + high) / 2, high - low, scores], 2).transpose(1, 2)


def _shown(labels: Sequence[str]) -> Sequence[str]:
    """Return the names that the domain shows for a tagger's classes."""
    return shown_labels(load("labels")[0].model_copy(update={"labels": tuple(labels)}))


def _named(second: int, scores: torch.Tensor, names: Sequence[str], role: str) -> Prediction:
    most, least = (MOST_LABELS, LABEL_RULE.close_below) if role == "labels.tagger" else (len(names), 0.0)
    values, indices = scores.topk(min(most, len(scores)))
    pairs = zip(indices.tolist(), values.tolist(), strict=True)
    return Prediction(float(second), {names[index]: value for index, value in pairs if value >= least})


def _one_name_each(boxes: torch.Tensor, scores: torch.Tensor, classes: torch.Tensor) -> Found:
    """Unite boxes of two classes around one thing, as the domain `objects` does."""
    kept = torchvision.ops.nms(boxes, scores, SAME_THING)[:MOST_BOXES]
    return boxes[kept], scores[kept], classes[kept]


def _one_class_each(boxes: torch.Tensor, scores: torch.Tensor, classes: torch.Tensor) -> Found:
    """Let boxes of all classes push each other out, as the domain `moderation` does for body parts."""
    kept = torchvision.ops.nms(boxes, scores, MOST_PART_OVERLAP)
    return boxes[kept], scores[kept], classes[kept]


def _inside(found: Found, taken: Input) -> Found:
    """Cut boxes at the edges of the picture, as libraries do last."""
    boxes, scores, classes = found
    return torchvision.ops.clip_boxes_to_image(boxes, (taken.height, taken.width)), scores, classes


def _boxed(second: int, found: Found, labels: Sequence[str]) -> Prediction:
    rows = zip(*(part.tolist() for part in found), strict=True)
    return Prediction(float(second), boxes=tuple(Box(labels[int(k)], score, *corners) for corners, score, k in rows))


def side_of(asked: Asked, own: int, multiple: int) -> int:
    """Return the side of the square input, in pixels; raises UsageError."""
    side = asked.side or own
    if side % multiple:
        raise UsageError(f"--side {side}: this network takes multiples of {multiple}")
    return side


def spread_of(asked: Asked, mean: Sequence[float], std: Sequence[float]) -> Spread:
    """Return mean and standard deviation in 0..255 units, those of the command line first."""
    return asked.mean or tuple(map(float, np.array(mean))), asked.std or tuple(map(float, np.array(std)))
