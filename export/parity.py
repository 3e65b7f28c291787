"""How far another precision moves from fp32: on every tensor, and on what the domain finally says."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from model_zoo.manifest import ModelSpec
from model_zoo.values import Box, Prediction, Tensors

SAME_BOX = 0.5  # overlap (IoU) from which on two boxes of one label are the same
SURE = 0.1  # a box that is lost or new counts from this far above the least confidence that is reported


class TensorChange(BaseModel):
    """How far one output moved."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    output: str
    largest: float  # absolute
    mean: float
    share: float  # largest, as a share of the largest value of fp32


class Parity(BaseModel):
    """How far a precision moved from fp32 on some rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    precision: str
    rows: int
    tensors: list[TensorChange]
    scores_moved: float | None  # largest change of a final score; None where the domain has no decoder for one model
    boxes: int | None = None  # of fp32
    boxes_lost_or_new: int | None = None
    gate: str  # what the tolerance is held against
    moved: float
    tolerance: float
    source_sha256: str = ""  # of the weights, and of the file that was made of them
    file_sha256: str = ""

    @property
    def passed(self) -> bool:
        """Say whether it stays within the manifest's tolerance."""
        return self.moved <= self.tolerance


def compare(spec: ModelSpec, precision: str, rows: Any, wanted: Tensors, got: Tensors) -> Parity:
    """Compare the outputs of two precisions on the same rows (Frames or SoundWindows)."""
    tensors = [_change(name, wanted[name], got[name]) for name in spec.outputs]
    decoder = _decoder(spec)
    scores, boxes, odd = None, None, None
    if decoder is not None:
        scores, boxes, odd = _decisions(decoder(wanted, spec, rows), decoder(got, spec, rows))
    gate = "change of a tensor, as a share of its largest value" if scores is None else "change of a final score"
    return Parity(
        model=spec.name,
        precision=precision,
        rows=len(rows),
        tensors=tensors,
        scores_moved=scores,
        boxes=boxes,
        boxes_lost_or_new=odd,
        gate=gate,
        moved=max(change.share for change in tensors) if scores is None else scores,
        tolerance=spec.precisions[precision].tolerance if precision in spec.precisions else 0.0,
    )


def _change(name: str, wanted: Any, got: Any) -> TensorChange:
    difference = np.abs(wanted.astype(np.float64) - got.astype(np.float64))
    largest = float(np.abs(wanted).max(initial=0.0))
    most = float(difference.max(initial=0.0))
    return TensorChange(output=name, largest=most, mean=float(difference.mean()), share=most / max(largest, 1e-12))


def _decoder(spec: ModelSpec) -> Callable[[Tensors, ModelSpec, Any], Sequence[Prediction]] | None:
    """Return the domain's own decoder, where it reads the outputs of one model by itself."""
    known = getattr(importlib.import_module(f"model_zoo.{spec.domain}"), "DECODERS", {})
    decoder = known.get(spec.decoder)
    return decoder if callable(decoder) else None


def _decisions(wanted: Sequence[Prediction], got: Sequence[Prediction]) -> tuple[float, int, int]:
    """Return the largest change of a score, the boxes, and how many sure boxes are lost or new."""
    moved, boxes, odd = 0.0, 0, 0
    for before, after in zip(wanted, got, strict=True):
        for label in before.scores.keys() | after.scores.keys():
            moved = max(moved, abs(before.scores.get(label, 0.0) - after.scores.get(label, 0.0)))
        boxes += len(before.boxes)
        for ones, others in ((before.boxes, after.boxes), (after.boxes, before.boxes)):
            least = min((box.confidence for box in (*ones, *others)), default=0.0)
            for box in ones:
                partner = _partner(box, others)
                if partner is None:
                    odd += box.confidence >= least + SURE
                else:
                    moved = max(moved, abs(box.confidence - partner.confidence))
    return moved, boxes, odd


def _partner(box: Box, others: Sequence[Box]) -> Box | None:
    ranked = [(_overlap(box, other), other) for other in others if other.label == box.label]
    best = max(ranked, key=lambda item: item[0], default=None)
    return best[1] if best and best[0] >= SAME_BOX else None


def _overlap(one: Box, other: Box) -> float:
    width = min(one.x2, other.x2) - max(one.x1, other.x1)
    height = min(one.y2, other.y2) - max(one.y1, other.y1)
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box.x2 - box.x1) * (box.y2 - box.y1) for box in (one, other)]
    return width * height / (sum(areas) - width * height)
