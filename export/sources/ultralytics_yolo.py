"""Ultralytics: a YOLO detector from its .pt file, or from the .yaml of its architecture and a state dict.

`ultralytics:yolo11n.yaml` with `--weights STATE.pt` or `random`; `ultralytics` with `--weights best.pt --trust`, for
its own files are pickles. The library is AGPL-3.0 and says the same of networks made with it; whoever
uses it installs it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from export.sources.network import RANDOM, Asked, Network
from export.sources.torch_graph import fill, seeded, version
from export.sources.torch_pictures import Found, Sight, detector, side_of, spread_of
from model_zoo.errors import UsageError, WeightsError
from model_zoo.manifest import Input, Licence

os.environ.setdefault("YOLO_AUTOINSTALL", "false")  # it installs what it misses
os.environ.setdefault("YOLO_OFFLINE", "true")  # it tells its maker that it runs

import ultralytics
from ultralytics.nn.modules.head import Detect
from ultralytics.nn.tasks import DetectionModel, torch_safe_load
from ultralytics.utils.nms import non_max_suppression

LICENCE = Licence(
    weights="AGPL-3.0-only",
    code="AGPL-3.0-only",
    commercial=True,
    note="Made with Ultralytics; its makers say that their licence holds for networks trained with it.",
)
LIBRARY = f"torch {version(torch)}, ultralytics {version(ultralytics)}"
USUAL_SIDE = 640
PAD = 114  # the grey around pictures that it was trained with


def read(asked: Asked) -> Network:
    """Read `ultralytics:ARCHITECTURE.yaml`, or `ultralytics` and a file of its own."""
    network = _architecture(asked) if asked.what else _file(asked)
    head = network.model[-1]
    if type(head) is not Detect:  # those for masks, poses and turned boxes are made of it
        raise UsageError(f"--from ultralytics: this is a {type(head).__name__}, only detectors can be taken")
    if head.cv2 is None:
        raise UsageError("--from ultralytics: this file was fused and has no head for NMS; give the original")
    head.end2end, head.export, head.format = False, True, "onnx"
    labels = asked.labels or tuple(str(network.names[index]) for index in range(len(network.names)))
    side = side_of(asked, USUAL_SIDE, int(network.stride.max()))
    mean, std = spread_of(asked, (0, 0, 0), (255, 255, 255))
    fit = asked.fit or "letterbox"
    taken = Input(name="pixels", width=side, height=side, fit=fit, pad=PAD, interpolation="bilinear")
    name = asked.what.removesuffix(".yaml") or Path(asked.weights).stem
    title = f"{name} by Ultralytics: boxes of {len(labels)} classes"
    sight = Sight(network, taken, (mean, std), labels, title, LICENCE, LIBRARY)
    network(torch.zeros(1, 3, side, side))  # the head works out its anchors for this size, and keeps them

    def own(rows: torch.Tensor, least: float, most_overlap: float) -> list[Found]:
        answers = []
        for picture in rows.permute(0, 3, 1, 2) / 255:
            found = non_max_suppression(
                network(picture[None]),
                conf_thres=least,
                iou_thres=most_overlap,
                multi_label=True,
                max_det=100_000,
                max_time_img=600.0,
            )[0]
            answers.append((found[:, :4], found[:, 4], found[:, 5].long()))
        return answers

    return detector(asked, sight, _scores_and_boxes, own)


def _scores_and_boxes(inside: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Part what the head says: (N, 4 + K, A), centres and sizes -> (N, A, K) and (N, A, 4), corners."""
    rows = inside(x).transpose(1, 2)
    middles, half = rows[..., :2], rows[..., 2:4] / 2
    return rows[..., 4:], torch.cat([middles - half, middles + half], 2)


def _architecture(asked: Asked) -> Any:
    if not asked.what.endswith((".yaml", ".yml")):
        raise UsageError(f"--from ultralytics:{asked.what}: write the .yaml of an architecture, or --weights FILE.pt")
    classes = len(asked.labels) or None
    try:
        network = seeded(asked, lambda: DetectionModel(asked.what, nc=classes, verbose=False))
    except (FileNotFoundError, AttributeError) as error:
        raise UsageError(f"--from ultralytics:{asked.what}: no such architecture ({error})") from error
    return fill(network, asked)


def _file(asked: Asked) -> nn.Module:
    if asked.weights == RANDOM:
        raise UsageError("--weights random: name the architecture, too: --from ultralytics:yolo11n.yaml")
    path = asked.file()
    if not asked.trusted:
        raise UsageError(f"--weights {path}: Ultralytics' files are pickles, which run code; add --trust if you do")
    found = torch_safe_load(str(path))[0]
    network = found.get("ema") or found.get("model") if isinstance(found, dict) else None
    if not isinstance(network, nn.Module):
        raise WeightsError(f"{path}: no network in it; is it a file that Ultralytics wrote?")
    return network.float().eval()
