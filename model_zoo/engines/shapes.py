"""The shapes an engine is built for: rows from 1 to the manifest's most, and sides of any length within limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_zoo.manifest import ModelSpec

USUAL_ROWS = 8  # unless the manifest says that more are best, or fewer are the most
OPEN = -1  # a side that the network leaves open


@dataclass(frozen=True, slots=True)
class Shapes:
    """What one optimization profile covers, rows first; kernels are chosen for the usual shape."""

    least: tuple[int, ...]
    usual: tuple[int, ...]
    most: tuple[int, ...]

    def holds(self, shape: Sequence[int]) -> bool:
        """Say whether a batch of this shape can be run."""
        return len(shape) == len(self.least) and all(
            least <= side <= most for least, side, most in zip(self.least, shape, self.most, strict=True)
        )

    def text(self) -> str:
        """Write them as TensorRT's tools do: 1x320x320x3:8x320x320x3:32x320x320x3."""
        return ":".join("x".join(map(str, shape)) for shape in (self.least, self.usual, self.most))


def served_shapes(spec: ModelSpec) -> Shapes:
    """Return the shapes of the one input that a model has when it is served: pictures are (N, H, W, 3)."""
    sides = (OPEN, OPEN, 3) if spec.input else (OPEN,)
    return network_shapes(spec, sides)


def network_shapes(spec: ModelSpec, sides: Sequence[int]) -> Shapes:
    """Return the shapes of one input of a network, whose rows have these sides."""
    rows = 1, min(max(USUAL_ROWS, spec.batch.best), spec.batch.most), spec.batch.most
    least, usual, most = (
        (count, *(side if side > 0 else length for side, length in zip(sides, lengths, strict=True)))
        for count, lengths in zip(rows, _lengths(spec, sides), strict=True)
    )
    return Shapes(least, usual, most)


def _lengths(spec: ModelSpec, sides: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the least, usual and most length of every side of a row."""
    if spec.text is not None:
        most = spec.text.most_tokens
        return [(length,) * len(sides) for length in (most if spec.text.tokenizer == "words" else 1, most, most)]
    if spec.sound is not None:
        return [(spec.sound.samples,) * len(sides)] * 3
    seen = spec.sees()
    if len(sides) != 3:
        return [(length,) * len(sides) for length in seen.any_side]
    picture = [(seen.height or length, seen.width or length) for length in seen.any_side]
    return [(3, *lengths) if sides[0] == 3 else (*lengths, 3) for lengths in picture]
