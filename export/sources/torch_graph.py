"""From a torch module to a graph: composed with what goes around it, and written as ONNX with a free batch."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from export.sources.network import RANDOM, Asked
from model_zoo.errors import UsageError, WeightsError
from model_zoo.values import Tensor, Tensors

OPSET = 18
_WRAPPED = ("state_dict", "model", "model_state_dict")  # what training scripts keep the weights under
_ROWS = 2  # of the example: a batch of one would be taken for a constant


class Composed(nn.Module):
    """A module that runs `steps(inside, rows)`."""

    def __init__(self, inside: nn.Module, steps: Callable[[nn.Module, torch.Tensor], Any]) -> None:
        super().__init__()
        self.inside = inside
        self.steps = steps

    def forward(self, rows: torch.Tensor) -> Any:
        """Return one tensor, or several."""
        return self.steps(self.inside, rows)


def as_onnx(
    module: nn.Module,
    row: torch.Tensor,
    taken: str,
    outputs: Sequence[str],
    free: Sequence[str] = (),
    example: int = _ROWS,
) -> onnx.ModelProto:
    """Write a module as ONNX; the batch, and the first axes of a row that `free` names, may have any length."""
    rows = torch.stack([row] * example)
    axes = dict(enumerate(("N", *free)))
    if isinstance(getattr(module, "inside", None), torch.jit.ScriptModule):
        return _traced(module, rows, taken, outputs, axes)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            (rows,),
            input_names=[taken],
            output_names=list(outputs),
            dynamic_shapes={"rows": {axis: torch.export.Dim(name) for axis, name in axes.items()}},
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise WeightsError("torch wrote no graph")
    return without_history(program.model_proto)


def _traced(
    module: nn.Module, rows: torch.Tensor, taken: str, outputs: Sequence[str], axes: dict[int, str]
) -> onnx.ModelProto:
    """Write a TorchScript module, which only torch's older exporter takes."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            torch.jit.trace(module.eval(), (rows,)),
            (rows,),
            buffer,
            input_names=[taken],
            output_names=list(outputs),
            dynamic_axes={taken: axes, **{name: {0: "N"} for name in outputs}},
            opset_version=OPSET,
            dynamo=False,
        )
    return without_history(onnx.load_from_string(buffer.getvalue()))


def without_history(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop what the exporter notes of every node: stack traces, and with them paths of this machine."""
    model.doc_string = model.graph.doc_string = ""
    model.ClearField("metadata_props")
    for holder in (*model.graph.node, *model.graph.value_info, *model.graph.initializer, *model.graph.output):
        holder.doc_string = ""
        holder.ClearField("metadata_props")
    del model.functions[:]
    return model


def answering(module: nn.Module, outputs: Sequence[str]) -> Callable[[Tensor], Tensors]:
    """Return a function that runs a module on rows, a few at a time."""

    def run(rows: Tensor) -> Tensors:
        parts = []
        with torch.no_grad():
            for start in range(0, len(rows), 4):
                found = module(torch.from_numpy(np.ascontiguousarray(rows[start : start + 4])))
                parts.append([found] if isinstance(found, torch.Tensor) else list(found))
        return {
            name: np.concatenate([part.numpy() for part in column])
            for name, *column in zip(outputs, *parts, strict=True)
        }

    return run


def fill(module: nn.Module, asked: Asked) -> nn.Module:
    """Load the weights that are asked for into a module; `random` leaves those it was made with."""
    if asked.weights != RANDOM:
        load_into(module, asked.file())
    return module.eval()


def load_into(module: nn.Module, path: Path) -> None:
    """Load a file of weights, without unpickling anything but tensors; raises WeightsError."""
    weights = state_of(path)
    try:
        missing, strange = module.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise WeightsError(f"{path}: {_last_line(error)}; do the architecture and --labels fit?") from error
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or strange:
        one = (missing or strange)[0]
        raise WeightsError(
            f"{path}: {len(missing)} weights are missing and {len(strange)} are of something else (such as {one}); "
            "is it of this architecture?"
        )


def state_of(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a .safetensors file or of a state dict; raises WeightsError for anything else."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds
        raise WeightsError(f"{path}: no file of weights alone ({_last_line(error)}); save a state dict") from error
    for key in _WRAPPED:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise WeightsError(f"{path}: no state dict: names of weights and their tensors")
    return {name.removeprefix("module."): value for name, value in found.items()}  # of nn.DataParallel


def seeded(asked: Asked, make: Callable[[], nn.Module]) -> nn.Module:
    """Make a module whose random weights are the same on every run."""
    torch.manual_seed(asked.seed)
    return make()


def constructor(path: str) -> Callable[[], nn.Module]:
    """Return the function of `package.module:name`; raises UsageError."""
    import importlib

    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"--from torch:{path}: {error}; write torch:package.module:function") from error
    if not callable(found):
        raise UsageError(f"--from torch:{path}: {name} is no function that returns a module")
    return found  # type: ignore[no-any-return]


def _last_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:200]


def version(library: Any) -> str:
    """Return the version of a library, without what it was built for."""
    return str(library.__version__).partition("+")[0]
