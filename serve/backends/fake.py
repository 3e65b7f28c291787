"""A backend without weights: outputs are computed by a plain function of the input. For fast tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from model_zoo.manifest import ModelSpec
from model_zoo.values import Given, Tensor, Tensors
from serve.backends.contract import checked_rows

Answer = Callable[[Tensor], Tensor]  # (N, H, W, 3) or (N, S) -> (N, ...)


class FakeModel:
    """Answer each output of a spec with a given function of the input."""

    def __init__(self, spec: ModelSpec, answers: Mapping[str, Answer]) -> None:
        """Take one function per output name."""
        self._spec = spec
        self._answers = answers

    def run(self, tensors: Given) -> Tensors:
        """Return one row per input row; raises BackendError where a real backend would."""
        rows = checked_rows(self._spec, tensors)
        return {name: answer(rows) for name, answer in self._answers.items()}
