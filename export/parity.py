"""How far a graph moves from the one it was made of: on every tensor, and on what the domain finally says."""

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
FINAL_SCORE = "change of a final score"
TENSOR_SHARE = "change of a tensor, as a share of its largest value"


class TensorChange(BaseModel):
    """How far one output moved."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    output: str
    largest: float  # absolute
    mean: float
    share: float  # largest, as a share of the largest value before


class Decisions(BaseModel):
    """How far what is finally said moved."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    said: int  # labels of frames and boxes, before and after; where nothing is said, nothing can move
    scores_moved: float  # largest change; what is lost or new moved from the least that is reported
    boxes: int
    boxes_lost_or_new: int
    corners_moved: float  # largest change of a side of a box, in pixels


class Parity(BaseModel):
    """How far a graph moved from the one before, on some rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    precision: str
    against: str = "fp32"
    rows: int
    tensors: list[TensorChange]
    scores_moved: float | None  # largest change of a final score; None where the domain has no decoder for one model
    boxes: int | None = None  # before
    boxes_lost_or_new: int | None = None  # of those that are sure
    corners_moved: float | None = None  # pixels
    library: Decisions | None = None  # the library's own post-processing against the project's decoder
    gate: str  # what the tolerance is held against
    moved: float
    tolerance: float
    int8_operators: int | None = None  # of the heavy ones: convolutions, matrix products, recurrent cells
    heavy_operators: int | None = None
    source_sha256: str = ""  # of the weights, and of the file that was made of them
    file_sha256: str = ""

    @property
    def passed(self) -> bool:
        """Say whether it stays within the manifest's tolerance."""
        return self.moved <= self.tolerance

    @property
    def told(self) -> str:
        """Say it in one line."""
        told = f"{self.gate}: {self.moved:.4g} on {self.rows} rows, {self.tolerance:g} is allowed"
        if self.int8_operators is None:
            return told
        return f"{told}; {self.int8_operators} of {self.heavy_operators} heavy operators in INT8"


def compare(
    spec: ModelSpec,
    precision: str,
    rows: Any,
    wanted: Tensors,
    got: Tensors,
    against: str = "fp32",
    said: Sequence[Prediction] | None = None,
) -> Parity:
    """Compare outputs on the same rows (Frames, SoundWindows or Texts), and with what a library `said` of them."""
    tensors = [_change(name, wanted[name], got[name]) for name in spec.outputs if name in wanted]
    decoder = _decoder(spec)
    decided, library = None, None
    if decoder is not None:
        answers = decoder(got, spec, rows)
        decided = decisions(decoder(wanted, spec, rows), answers) if tensors else None
        library = None if said is None else decisions(said, answers)
    moves = [one.scores_moved for one in (decided, library) if one is not None and one.said]
    return Parity(
        model=spec.name,
        precision=precision,
        against=against,
        rows=len(rows),
        tensors=tensors,
        scores_moved=decided.scores_moved if decided else None,
        boxes=decided.boxes if decided else None,
        boxes_lost_or_new=decided.boxes_lost_or_new if decided else None,
        corners_moved=decided.corners_moved if decided else None,
        library=library,
        gate=FINAL_SCORE if moves else TENSOR_SHARE,
        moved=max(moves) if moves else max(change.share for change in tensors),
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


def decisions(wanted: Sequence[Prediction], got: Sequence[Prediction]) -> Decisions:
    """Compare what was said of the same rows."""
    least = min((box.confidence for one in (*wanted, *got) for box in one.boxes), default=0.0)
    lowest = min((score for one in (*wanted, *got) for score in one.scores.values()), default=0.0)
    said, moved, odd, corners = 0, 0.0, 0, 0.0
    for before, after in zip(wanted, got, strict=True):
        said += sum(len(one.scores) + len(one.boxes) for one in (before, after))
        for label in before.scores.keys() | after.scores.keys():
            moved = max(moved, abs(before.scores.get(label, lowest) - after.scores.get(label, lowest)))
        pairs, alone = _pairs(before.boxes, after.boxes)
        for box in alone:
            odd += box.confidence >= least + SURE
            moved = max(moved, box.confidence - least)
        for box, partner in pairs:
            moved = max(moved, abs(box.confidence - partner.confidence))
            corners = max(corners, *(abs(a - b) for a, b in zip(_sides(box), _sides(partner), strict=True)))
    return Decisions(
        said=said,
        scores_moved=moved,
        boxes=sum(len(one.boxes) for one in wanted),
        boxes_lost_or_new=odd,
        corners_moved=corners,
    )


def _sides(box: Box) -> tuple[float, float, float, float]:
    return box.x1, box.y1, box.x2, box.y2


def _pairs(before: Sequence[Box], after: Sequence[Box]) -> tuple[list[tuple[Box, Box]], list[Box]]:
    """Pair the boxes of one frame, each with one of its label at most; also return those that stay alone."""
    left = list(after)
    pairs, alone = [], []
    for box in sorted(before, key=lambda box: -box.confidence):
        near = [(_overlap(box, other), other) for other in left if other.label == box.label]
        # boxes cut at the same edge may be as good as equal: then the one that is as sure
        near = [(round(share, 2), -abs(box.confidence - other.confidence), other) for share, other in near]
        best = max(near, key=lambda item: item[:2], default=None)
        if best is None or best[0] < SAME_BOX:
            alone.append(box)
        else:
            pairs.append((box, best[2]))
            left.remove(best[2])
    return pairs, alone + left


def _overlap(one: Box, other: Box) -> float:
    width = min(one.x2, other.x2) - max(one.x1, other.x1)
    height = min(one.y2, other.y2) - max(one.y1, other.y1)
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box.x2 - box.x1) * (box.y2 - box.y1) for box in (one, other)]
    return width * height / (sum(areas) - width * height)
