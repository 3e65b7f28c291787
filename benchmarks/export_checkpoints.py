"""Checkpoints to try the export on: real architectures with random weights, made to say something.

A network of random weights says next to nothing: its scores are all alike. Here it sees the test pictures once, so that
its normalisation fits them, and then its last layers are scaled: classes far enough apart, boxes of all sizes, dozens
of them per picture, many overlapping. So a wrong mean, a swapped side or a lost class shows in what is found.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from export.conversion import GOLDEN, ROWS
from export.samples import frames_of
from model_zoo.manifest import load

SEED = 7
PICTURES = ROWS  # all that precisions are compared on: others would make it say thousands of things
COCO_COLUMNS = 91  # of one anchor; the first is the background
Layers = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint and how `python -m export` is told of it."""

    name: str
    make: Callable[[Path], list[str]]  # writes it into a folder, returns the arguments


def pictures(side: int, count: int = PICTURES) -> torch.Tensor:
    """Return test pictures, 0..1: (N, 3, S, S)."""
    spec = load("objects")[0]
    sized = spec.model_copy(update={"input": spec.sees().model_copy(update={"width": side, "height": side})})
    return torch.from_numpy(frames_of(GOLDEN, sized, count).pixels).permute(0, 3, 1, 2) / 255


def settle(network: nn.Module, run: Callable[[], Any]) -> None:
    """Fit the normalisation of a random network to what it is shown."""
    network.eval()
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in layers:
        layer.train()
        layer.momentum = None  # the mean of all that is seen
    with torch.no_grad():
        run()
    network.eval()


def spread_out(layers: Layers, run: Callable[[], Any], middle: float, width: float) -> None:
    """Scale the last layers so that each of their channels has this mean and deviation over what is shown."""
    for layer in layers:
        seen: list[torch.Tensor] = []
        hook = layer.register_forward_hook(lambda _layer, _given, answer, seen=seen: seen.append(answer))
        with torch.no_grad():
            run()
            hook.remove()
            values = torch.cat([one.transpose(0, 1).flatten(1) if one.dim() == 4 else one.T for one in seen], 1)
            gain = width / values.std(1).clamp(min=1e-3)
            layer.weight.mul_(gain.view(-1, *[1] * (layer.weight.dim() - 1)))
            layer.bias.copy_((layer.bias - values.mean(1)) * gain + middle)


def _saved(network: nn.Module, folder: Path, name: str) -> list[str]:
    path = folder / f"{name}.pth"
    torch.save(network.state_dict(), path)
    return ["--weights", str(path), "--licence", "CC0-1.0"]


def classifier(name: str, last: Callable[[Any], Any], side: int = 224) -> Checkpoint:
    """Return a classifier of torchvision."""

    def make(folder: Path) -> list[str]:
        import torchvision

        torch.manual_seed(SEED)
        network = torchvision.models.get_model(name, weights=None)
        shown = (pictures(side) - 0.45) / 0.226
        settle(network, lambda: network(shown))
        spread_out([last(network)], lambda: network(shown), middle=0.0, width=3.0)
        return ["--from", f"torchvision:{name}", *_saved(network, folder, name)]

    return Checkpoint(name, make)


def detector(name: str, side: int) -> Checkpoint:
    """Return an SSD of torchvision."""

    def make(folder: Path) -> list[str]:
        import torchvision

        torch.manual_seed(SEED)
        network = torchvision.models.get_model(name, weights=None, weights_backbone=None)
        shown = (pictures(side) - 0.5) / 0.25

        def run() -> Any:
            return network.head(list(network.backbone(shown).values()))

        settle(network, run)
        heads = (network.head.classification_head.module_list, network.head.regression_head.module_list)
        classes, boxes = ([part[-1] for part in head] for head in heads)
        # a softmax over 80 classes must be steep for one of them to stand out
        spread_out(classes, run, middle=-9.0, width=3.0)
        spread_out(boxes, run, middle=0.0, width=0.5)
        with torch.no_grad():  # the background is as likely everywhere
            for layer in classes:
                layer.weight[::COCO_COLUMNS] = 0
                layer.bias[::COCO_COLUMNS] = 0
        return ["--from", f"torchvision:{name}", *_saved(network, folder, name)]

    return Checkpoint(name, make)


def yolo(name: str, side: int = 320) -> Checkpoint:
    """Return an architecture of Ultralytics."""

    def make(folder: Path) -> list[str]:
        from ultralytics.nn.tasks import DetectionModel

        import export.sources.ultralytics_yolo  # noqa: F401  (tells the library to stay offline)

        torch.manual_seed(SEED)
        network = DetectionModel(f"{name}.yaml", verbose=False)
        shown = pictures(side)
        head = network.model[-1]
        settle(network, lambda: network(shown))
        spread_out([end[-1] for end in head.cv3], lambda: network(shown), middle=-4.0, width=1.0)
        spread_out([end[-1] for end in head.cv2], lambda: network(shown), middle=0.0, width=1.5)
        saved = _saved(network, folder, name)
        return ["--from", f"ultralytics:{name}.yaml", *saved[:2], "--side", str(side)]

    return Checkpoint(name, make)


def small_network() -> nn.Module:
    """Return a classifier of three classes, as somebody may have written it."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 5, stride=4), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2), nn.BatchNorm2d(32), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 3),
    )  # fmt: skip


def _own(folder: Path) -> tuple[nn.Module, list[str]]:
    torch.manual_seed(SEED)
    network, shown = small_network(), pictures(96)
    settle(network, lambda: network(shown))
    spread_out([network[-1]], lambda: network(shown), middle=0.0, width=2.0)
    labels = folder / "labels.txt"
    labels.write_text("day\nnight\nindoors\n")
    return network.eval(), ["--labels", str(labels), "--side", "96", "--licence", "CC0-1.0"]


def own_constructor() -> Checkpoint:
    """Return a state dict with a constructor that can be imported."""

    def make(folder: Path) -> list[str]:
        network, arguments = _own(folder)
        saved = _saved(network, folder, "own_constructor")
        return ["--from", f"torch:{__name__}:small_network", *saved[:2], *arguments]

    return Checkpoint("own_constructor", make)


def own_torchscript() -> Checkpoint:
    """Return TorchScript."""

    def make(folder: Path) -> list[str]:
        network, arguments = _own(folder)
        path = folder / "own_torchscript.pt"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is called old
            torch.jit.save(torch.jit.script(network), str(path))
        return ["--from", "torch", "--weights", str(path), *arguments]

    return Checkpoint("own_torchscript", make)


JIGSAW = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")


def reader() -> Checkpoint:
    """Return a tiny BERT with a vocabulary of its own that rates texts with the labels of the Jigsaw challenge."""

    def make(folder: Path) -> list[str]:
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
        from transformers import BertConfig, BertForSequenceClassification

        texts = [line for path in sorted(GOLDEN.rglob("*.txt")) for line in path.read_text("utf-8").splitlines()]
        words = sorted({word.strip(".,;:!?\"'").lower() for text in texts for word in text.split()} - {""})
        made = Tokenizer(models.WordLevel({word: row for row, word in enumerate(["[PAD]", "[UNK]", *words])}, "[UNK]"))
        made.normalizer, made.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
        torch.manual_seed(SEED)
        config = BertConfig(
            vocab_size=len(words) + 2, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, pad_token_id=0,
            intermediate_size=128, max_position_embeddings=128, problem_type="multi_label_classification",
            id2label=dict(enumerate(JIGSAW)), label2id={label: row for row, label in enumerate(JIGSAW)},
        )  # fmt: skip
        network = BertForSequenceClassification(config).eval()
        rows = [torch.tensor([made.encode(text).ids[:128]]) for text in texts if text.strip()]
        spread_out([network.classifier], lambda: [network(row) for row in rows], middle=0.0, width=2.0)
        target = folder / "tiny_bert"
        network.save_pretrained(target)
        made.save(str(target / "tokenizer.json"))
        return ["--from", f"transformers:{target}", "--licence", "CC0-1.0"]

    return Checkpoint("tiny_bert", make)


def picture_reader() -> Checkpoint:
    """Return a tiny vision transformer that tells two classes, as a filter of uploads does."""

    def make(folder: Path) -> list[str]:
        from transformers import ViTConfig, ViTForImageClassification

        torch.manual_seed(SEED)
        labels = {0: "normal", 1: "nsfw"}
        config = ViTConfig(
            hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128, image_size=96,
            patch_size=16, id2label=labels, label2id={label: row for row, label in labels.items()},
        )  # fmt: skip
        network = ViTForImageClassification(config).eval()
        shown = (pictures(96) - 0.5) / 0.5
        spread_out([network.classifier], lambda: network(shown), middle=0.0, width=2.0)
        target = folder / "tiny_vit"
        network.save_pretrained(target)
        told = {
            "image_processor_type": "ViTImageProcessor", "do_normalize": True, "do_rescale": True, "do_resize": True,
            "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "rescale_factor": 1 / 255, "resample": 2,
            "size": {"height": 96, "width": 96},
        }  # fmt: skip
        (target / "preprocessor_config.json").write_text(json.dumps(told))
        return ["--from", f"transformers:{target}", "--role", "moderation.nsfw_score", "--licence", "CC0-1.0"]

    return Checkpoint("tiny_vit", make)


CHECKPOINTS = (
    classifier("resnet18", lambda network: network.fc),
    classifier("mobilenet_v3_small", lambda network: network.classifier[-1]),
    detector("ssdlite320_mobilenet_v3_large", 320),
    yolo("yolov8n"),
    yolo("yolo11n"),
    own_constructor(),
    own_torchscript(),
    reader(),
    picture_reader(),
)
