"""transformers: a local folder of config, weights and tokenizer that tells kinds of text, or a classifier of pictures.

`transformers:FOLDER`. Nothing is fetched from a hub, and no code of the folder is run.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from transformers import AutoConfig, AutoModelForImageClassification, AutoModelForSequenceClassification

from export.sources.network import Asked, Network
from export.sources.torch_graph import Composed, answering, as_onnx, fill, seeded, version
from export.sources.torch_pictures import Sight, tagger
from model_zoo.errors import UsageError, WeightsError
from model_zoo.manifest import Input, Licence, TextInput
from model_zoo.values import Interpolation

LICENCE = Licence(weights="unknown", code="Apache-2.0", commercial=False)
LIBRARY = f"torch {version(torch)}, transformers {version(transformers)}"
TOKENIZER = "tokenizer.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
IDS, SCORES = "input_ids", "scores"
MOST_TOKENS = 512
EXAMPLE_TOKENS = 9
INTERPOLATIONS: dict[int, Interpolation] = {1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers


def read(asked: Asked) -> Network:
    """Read `transformers:FOLDER`."""
    folder = Path(asked.what)
    if not (folder / "config.json").is_file():
        raise UsageError(f"--from transformers:{folder}: no config.json in it; give a folder of save_pretrained()")
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(f"{folder}: {str(error).splitlines()[0]}") from error
    sees = (folder / "preprocessor_config.json").is_file()
    return _pictures(asked, folder, config) if sees else _texts(asked, folder, config)


def _network(asked: Asked, folder: Path, config: Any, family: Any) -> Any:
    """Make the network with the folder's weights, those of --weights, or random ones."""
    try:
        if asked.weights:
            network = seeded(asked, lambda: family.from_config(config, attn_implementation="eager"))
            return fill(network, asked)
        return family.from_pretrained(folder, local_files_only=True, attn_implementation="eager").float().eval()
    except (OSError, ValueError) as error:
        raise WeightsError(f"{folder}: {str(error).splitlines()[0]}") from error


def _labels(asked: Asked, config: Any) -> tuple[str, ...]:
    return asked.labels or tuple(str(config.id2label[index]) for index in range(config.num_labels))


def _texts(asked: Asked, folder: Path, config: Any) -> Network:
    """Read a network that tells kinds of text; the mask is worked out of the ids in its graph."""
    role = asked.role_among("toxicity.classifier")
    tokenizer = folder / TOKENIZER
    if not tokenizer.is_file():
        raise UsageError(f"--from transformers:{folder}: no {TOKENIZER} in it; save it with a fast tokenizer")
    network = _network(asked, folder, config, AutoModelForSequenceClassification)
    pad = config.pad_token_id or 0
    several = config.problem_type == "multi_label_classification"

    def steps(inside: Any, ids: torch.Tensor) -> torch.Tensor:
        logits = inside(input_ids=ids, attention_mask=(ids != pad).to(torch.int64)).logits
        return torch.sigmoid(logits) if several else logits.softmax(-1)  # type: ignore[no-any-return]

    module = Composed(network, steps)
    most = min(getattr(config, "max_position_embeddings", MOST_TOKENS), MOST_TOKENS)
    row = torch.arange(EXAMPLE_TOKENS) % max(2, config.vocab_size - 1) + 1
    taken = TextInput(name=IDS, tokenizer="json", vocabulary_file=TOKENIZER, most_tokens=most, pad_id=pad, languages=())
    labels = _labels(asked, config)
    return Network(
        title=f"{config.model_type} of transformers: {', '.join(labels[:7])}",
        role=role,
        model=as_onnx(module, row, IDS, [SCORES], free=["T"]),
        outputs=(SCORES,),
        taken=taken,
        labels=labels,
        licence=LICENCE,
        library=LIBRARY,
        answer=answering(module, [SCORES]),
        origin=next((file for name in WEIGHTS if (file := folder / name).is_file()), None),
        beside={TOKENIZER: tokenizer.read_bytes()},
    )


def _pictures(asked: Asked, folder: Path, config: Any) -> Network:
    """Read a network that names pictures."""
    import json

    told = json.loads((folder / "preprocessor_config.json").read_text("utf-8"))
    size = told.get("size", {})
    side = asked.side or size.get("height") or size.get("shortest_edge") or config.image_size
    network = _network(asked, folder, config, AutoModelForImageClassification)
    normal = told.get("do_normalize", True)
    mean = asked.mean or tuple(255 * x for x in (told["image_mean"] if normal else (0, 0, 0)))
    std = asked.std or tuple(255 * x for x in (told["image_std"] if normal else (1, 1, 1)))
    taken = Input(
        name="pixels",
        width=side,
        height=side,
        fit=asked.fit or ("cover" if told.get("do_center_crop") else "stretch"),
        interpolation=INTERPOLATIONS.get(told.get("resample", 2), "bilinear"),
    )
    labels = _labels(asked, config)

    def own(rows: torch.Tensor) -> torch.Tensor:
        processor = transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        pictures = processor(list(rows.numpy()), return_tensors="pt", do_resize=False, do_center_crop=False)
        return network(pictures["pixel_values"]).logits  # type: ignore[no-any-return]

    title = f"{config.model_type} of transformers: {len(labels)} classes"
    sight = Sight(network, taken, (mean, std), labels, title, LICENCE, LIBRARY)
    return tagger(asked, sight, lambda inside, x: inside(x).logits, own)
