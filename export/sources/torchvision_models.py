"""torchvision: a classifier or a one-stage detector by the name of its constructor, with a file of weights.

`torchvision:resnet18`, `torchvision:ssdlite320_mobilenet_v3_large`. Detectors are taken up to the boxes and scores of
every anchor; the project's decoder does the rest. Two-stage detectors choose boxes in the middle, picture by picture,
and have no such form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torchvision
from torch import nn
from torchvision.models import detection, get_model, get_model_weights
from torchvision.models.detection.image_list import ImageList
from torchvision.transforms.functional import InterpolationMode, normalize

from export.sources.network import Asked, Network
from export.sources.torch_graph import fill, seeded, version
from export.sources.torch_pictures import Found, Sight, detector, side_of, spread_of, tagger
from model_zoo.errors import UsageError
from model_zoo.manifest import Input, Licence
from model_zoo.values import Interpolation

LICENCE = Licence(
    weights="unknown",
    code="BSD-3-Clause",
    commercial=False,
    note="torchvision's code is BSD-3-Clause; say with --licence what your weights are under.",
)
LIBRARY = f"torch {version(torch)}, torchvision {version(torchvision)}"
NO_CLASS = ("__background__", "N/A")
USUAL_SIDE = 640  # of detectors that take any size
INTERPOLATIONS: Mapping[InterpolationMode, Interpolation] = {
    InterpolationMode.BILINEAR: "bilinear",
    InterpolationMode.BICUBIC: "bicubic",
    InterpolationMode.LANCZOS: "lanczos",
}


def read(asked: Asked) -> Network:
    """Read `torchvision:CONSTRUCTOR`."""
    name = asked.what
    if name not in torchvision.models.list_models():
        raise UsageError(f"--from torchvision:{name}: torchvision {torchvision.__version__} has no such constructor")
    return _detector(asked) if name in torchvision.models.list_models(detection) else _tagger(asked)


def _meta(name: str) -> tuple[Sequence[str], Any]:
    """Return the classes and the preprocessing that torchvision publishes with its own weights; downloads nothing."""
    published = next(iter(get_model_weights(name)))
    return published.meta["categories"], published.transforms()


def _tagger(asked: Asked) -> Network:
    known, made_with = _meta(asked.what)
    labels = asked.labels or tuple(known)
    network = fill(seeded(asked, lambda: get_model(asked.what, weights=None, num_classes=len(labels))), asked)
    side, whole = made_with.crop_size[0], made_with.resize_size[0]
    mean, std = spread_of(asked, [255 * x for x in made_with.mean], [255 * x for x in made_with.std])
    side = side_of(asked, side, 1)
    taken = Input(
        name="pixels",
        width=side,
        height=side,
        fit=asked.fit or "cover",
        crop_share=min(1.0, made_with.crop_size[0] / whole),
        interpolation=INTERPOLATIONS.get(made_with.interpolation, "bilinear"),
    )

    def own(rows: torch.Tensor) -> torch.Tensor:
        values = rows.permute(0, 3, 1, 2) / 255
        return network(normalize(values, [x / 255 for x in mean], [x / 255 for x in std]))  # type: ignore[no-any-return]

    title = f"{asked.what} of torchvision: {len(labels)} classes"
    sight = Sight(network, taken, (mean, std), labels, title, LICENCE, LIBRARY)
    return tagger(asked, sight, lambda inside, x: inside(x), own)


def _detector(asked: Asked) -> Network:
    names = ("__background__", *asked.labels) if asked.labels else tuple(_meta(asked.what)[0])
    network = seeded(asked, lambda: get_model(asked.what, weights=None, weights_backbone=None, num_classes=len(names)))
    ends = _ENDS.get(type(network).__name__)
    if ends is None:
        raise UsageError(
            f"--from torchvision:{asked.what}: a {type(network).__name__} chooses boxes in the middle of the network; "
            f"one-stage detectors can be taken: {', '.join(_ENDS)}"
        )
    fill(network, asked)
    side = _square(network, asked)
    columns = [index for index, name in enumerate(names) if name not in NO_CLASS]
    end = ends(network, columns, _anchors(network, side), side)
    mean, std = spread_of(asked, *([255 * x for x in values] for values in _spread(network)))
    taken = _fitted(network, asked, side, mean)
    labels = [names[index] for index in columns]
    title = f"{asked.what} of torchvision: boxes of {len(columns)} classes"
    sight = Sight(network, taken, (mean, std), labels, title, LICENCE, LIBRARY)
    return detector(asked, sight, end, _library(network, columns))


def _spread(network: Any) -> tuple[Sequence[float], Sequence[float]]:
    return network.transform.image_mean, network.transform.image_std


def _square(network: Any, asked: Asked) -> int:
    """Make the detector take pictures of one size as they are, and return their side."""
    fixed = network.transform.fixed_size
    if fixed is not None and asked.side not in (0, fixed[0]):
        raise UsageError(f"--side {asked.side}: {asked.what} takes {fixed[0]} pixels only")
    side = side_of(asked, fixed[0] if fixed else USUAL_SIDE, 1 if fixed else 32)
    network.transform.min_size, network.transform.max_size = (side,), side
    return side


def _fitted(network: Any, asked: Asked, side: int, mean: Sequence[float]) -> Input:
    """Say how torchvision lays a picture into the input: stretched, or at the top left of the mean colour."""
    sizes = {"name": "pixels", "width": side, "height": side, "interpolation": "bilinear"}
    if asked.fit or network.transform.fixed_size is not None:
        return Input(**sizes, fit=asked.fit or "stretch")
    return Input(**sizes, fit="letterbox", anchor="top_left", pad=round(sum(mean) / 3))


def _anchors(network: Any, side: int) -> torch.Tensor:
    """Return the places that boxes are measured from: (A, 4)."""
    picture = torch.zeros(1, 3, side, side)
    with torch.no_grad():
        maps = list(network.backbone(picture).values())
    anchors: torch.Tensor = network.anchor_generator(ImageList(picture, [(side, side)]), maps)[0]
    return anchors


def _library(network: Any, columns: Sequence[int]) -> Callable[[torch.Tensor, float, float], list[Found]]:
    """Return torchvision's own way from pixels to boxes; its limits on numbers of boxes are lifted."""
    place = {column: number for number, column in enumerate(columns)}

    def own(rows: torch.Tensor, least: float, most_overlap: float) -> list[Found]:
        network.score_thresh, network.nms_thresh = least, most_overlap
        network.topk_candidates = network.detections_per_img = 100_000
        answers = []
        for picture in rows.permute(0, 3, 1, 2) / 255:
            found = network([picture])[0]
            kept = [index for index, label in enumerate(found["labels"].tolist()) if label in place]
            classes = torch.tensor([place[found["labels"][index].item()] for index in kept], dtype=torch.int64)
            answers.append((found["boxes"][kept], found["scores"][kept], classes))
        return answers

    return own


def _boxes_of_corners(codes: torch.Tensor, anchors: torch.Tensor, coder: Any) -> torch.Tensor:
    """Move and scale anchors as Faster R-CNN writes boxes (Ren et al., 2015, eq. 2): (N, A, 4) -> (N, A, 4)."""
    sizes = anchors[:, 2:] - anchors[:, :2]
    middles = (anchors[:, :2] + anchors[:, 2:]) / 2
    weights = torch.tensor(coder.weights)
    moved = codes[..., :2] / weights[:2] * sizes + middles
    half = torch.exp((codes[..., 2:] / weights[2:]).clamp(max=coder.bbox_xform_clip)) * sizes / 2
    return torch.cat([moved - half, moved + half], -1)


def _ssd(network: Any, columns: Sequence[int], anchors: torch.Tensor, side: int) -> Callable[[Any, torch.Tensor], Any]:
    coder = network.box_coder

    def end(inside: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = inside.head(list(inside.backbone(x).values()))
        scores = found["cls_logits"].softmax(-1)[..., columns]
        return scores, _boxes_of_corners(found["bbox_regression"], anchors, coder).clamp(0, side)

    return end


def _retinanet(
    network: Any, columns: Sequence[int], anchors: torch.Tensor, side: int
) -> Callable[[Any, torch.Tensor], Any]:
    coder = network.box_coder

    def end(inside: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = inside.head(list(inside.backbone(x).values()))
        scores = found["cls_logits"].sigmoid()[..., columns]
        return scores, _boxes_of_corners(found["bbox_regression"], anchors, coder).clamp(0, side)

    return end


def _fcos(network: Any, columns: Sequence[int], anchors: torch.Tensor, side: int) -> Callable[[Any, torch.Tensor], Any]:
    coder = network.box_coder

    def end(inside: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = inside.head(list(inside.backbone(x).values()))
        scores = torch.sqrt(found["cls_logits"].sigmoid() * found["bbox_ctrness"].sigmoid())[..., columns]
        return scores, coder.decode(found["bbox_regression"], anchors).clamp(0, side)

    return end


_ENDS: Mapping[str, Callable[[nn.Module, Sequence[int], torch.Tensor, int], Callable[[Any, torch.Tensor], Any]]] = {
    "SSD": _ssd,
    "RetinaNet": _retinanet,
    "FCOS": _fcos,
}
