"""torch: a module of your own: an importable constructor and its weights, TorchScript, or a whole saved module.

`torch:package.module:function` with `--weights STATE.pt` or `random`; `torch` with `--weights scripted.pt`, or with a
pickled module and `--trust`. A classifier returns logits (N, K); a detector returns scores (N, A, K), 0..1, and boxes
(N, A, 4) as x1, y1, x2, y2 in input pixels. It takes float32 RGB (N, 3, H, W), by default 0..1.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from export.sources.network import RANDOM, ROLES, Asked, Network
from export.sources.torch_graph import constructor, fill, seeded, version
from export.sources.torch_pictures import DETECTOR_ROLES, TAGGER_ROLES, Found, Sight, detector, spread_of, tagger
from model_zoo.errors import UsageError, WeightsError
from model_zoo.manifest import Input, Licence

LICENCE = Licence(weights="unknown", code="unknown", commercial=False)
LIBRARY = f"torch {version(torch)}"
LEAST_SIDE = 16


def read(asked: Asked) -> Network:
    """Read `torch:package.module:function`, or `torch` and a file."""
    role = asked.role_among(*TAGGER_ROLES, *DETECTOR_ROLES)
    if asked.side < LEAST_SIDE:
        raise UsageError("--from torch: say with --side how many pixels wide and high its input is")
    if not asked.labels:
        raise UsageError("--from torch: name its classes with --labels FILE, one a line")
    network = _module(asked)
    mean, std = spread_of(asked, (0, 0, 0), (255, 255, 255))
    name = asked.what.rpartition(":")[2] or Path(asked.weights).stem
    fit = asked.fit or "stretch"
    taken = Input(name="pixels", width=asked.side, height=asked.side, fit=fit, interpolation="bilinear")
    sight = Sight(network, taken, (mean, std), asked.labels, f"{name}: {len(asked.labels)} classes", LICENCE, LIBRARY)
    _check(network, asked, ROLES[role].kind)

    def floats(rows: torch.Tensor) -> torch.Tensor:
        return (rows.permute(0, 3, 1, 2) - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)

    def own_boxes(rows: torch.Tensor, least: float, most_overlap: float) -> list[Found]:
        return [_best(scores, boxes, least, most_overlap) for scores, boxes in zip(*network(floats(rows)), strict=True)]

    def forward(inside: Any, x: torch.Tensor) -> Any:
        return inside(x)

    if role in TAGGER_ROLES:
        return tagger(asked, sight, forward, lambda rows: network(floats(rows)))
    return detector(asked, sight, forward, own_boxes)


def _module(asked: Asked) -> nn.Module:
    if asked.what:
        return fill(seeded(asked, constructor(asked.what)), asked)
    if asked.weights == RANDOM:
        raise UsageError("--weights random: name the constructor, too: --from torch:package.module:function")
    path = asked.file()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is called old
            return torch.jit.load(str(path), map_location="cpu").eval()
    except RuntimeError:
        pass
    if not asked.trusted:
        raise UsageError(
            f"--weights {path}: no TorchScript. For a state dict name its constructor, torch:package.module:function; "
            "a pickled module runs code when it is read: if you trust it add --trust"
        )
    found = torch.load(path, map_location="cpu", weights_only=False)
    if not isinstance(found, nn.Module):
        raise WeightsError(f"{path}: holds a {type(found).__name__} and no module; name its constructor")
    return found.float().eval()


def _check(network: nn.Module, asked: Asked, kind: str) -> None:
    """Try it once; raises WeightsError where it does not answer as its role wants."""
    classes, side = len(asked.labels), asked.side
    with torch.no_grad():
        found = network(torch.zeros(2, 3, side, side))
    if kind == "classifier":
        if not isinstance(found, torch.Tensor) or tuple(found.shape) != (2, classes):
            raise WeightsError(f"a classifier of {classes} --labels answers (N, {classes}), this one {_shapes(found)}")
        return
    shapes = [tuple(part.shape) for part in found] if isinstance(found, tuple | list) else []
    if len(shapes) != 2 or shapes[0][2:] != (classes,) or shapes[1] != (*shapes[0][:2], 4):
        wanted = f"scores (N, A, {classes}) and boxes (N, A, 4)"
        raise WeightsError(f"a detector of {classes} --labels answers {wanted}, this one {_shapes(found)}")


def _shapes(found: Any) -> str:
    parts = [found] if isinstance(found, torch.Tensor) else found
    shapes = [str(tuple(part.shape)) for part in parts if isinstance(part, torch.Tensor)]
    return " and ".join(shapes) or f"a {type(found).__name__}"


def _best(scores: torch.Tensor, boxes: torch.Tensor, least: float, most_overlap: float) -> Found:
    """Do what a library with a post-processing of its own would: the best boxes of each class."""
    import torchvision

    anchors, classes = torch.nonzero(scores >= least, as_tuple=True)
    found = scores[anchors, classes]
    kept = torchvision.ops.batched_nms(boxes[anchors], found, classes, most_overlap)
    return boxes[anchors[kept]], found[kept], classes[kept]
